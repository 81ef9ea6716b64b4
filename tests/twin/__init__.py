"""The naive twin: the router as obvious Python, and the random driver that compares it with Lua."""
