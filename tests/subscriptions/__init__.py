"""Tests of subscriptions to events."""
