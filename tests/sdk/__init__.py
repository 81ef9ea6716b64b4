"""Every operation of the interface through the official Python SDK, in all ways to use it."""
