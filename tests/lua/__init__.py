"""Tests of the Lua library by itself, and its line coverage."""
