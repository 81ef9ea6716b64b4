"""Calls to the outside: one guarded HTTP client, and the rules that others answer with it."""
