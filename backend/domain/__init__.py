"""What things are: frozen values and pure functions. No library's word, no clock, no file."""
