"""Histories of concurrent clients, and the log of calls by which they are checked."""
