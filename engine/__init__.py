"""The router as a Python library: commands, the store that runs them, the embedded server and the workers."""

__version__ = "0.1.0"
