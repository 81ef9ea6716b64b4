"""Killed processes and lost replies: nothing acknowledged is lost, nothing acts twice."""
