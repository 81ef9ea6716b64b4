"""Subscriptions to events: what they ask for, and how events are told to others."""
