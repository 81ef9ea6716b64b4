"""Tests of what operators deploy: users of the store, configurations, containers."""
