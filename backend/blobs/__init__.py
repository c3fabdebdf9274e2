"""Where the original bytes live, by the hash of their content."""
