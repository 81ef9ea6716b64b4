"""Calls to the outside, against real servers on loopback."""
