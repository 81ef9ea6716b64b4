"""The naive twin: the router as obvious Python over dicts, and the random driver that compares it with the Lua library."""
