"""What the system does, one verb a file. A use case names the steps in order and knows no library."""
