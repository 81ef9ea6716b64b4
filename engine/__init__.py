"""The router as a Python library: commands, the store that runs them, the embedded server and the workers."""
