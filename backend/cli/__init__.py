"""The command line: it talks to a server over the public API like anyone, and starts one where none runs."""
