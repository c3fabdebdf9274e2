"""Where backups lie: a folder that holds one whole backup at any moment, whatever ends the making of the next."""
