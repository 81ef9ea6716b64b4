"""A router as a process: its parts, listeners, keys and certificate; what is logged and traced."""
