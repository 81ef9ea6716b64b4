"""What can go wrong with a call to the outside. No text ever holds a path, a query or a credential."""

from __future__ import annotations


class OutgoingFailed(Exception):
    """A call that brought no answer; ``again``: a second try may succeed; ``late``: it took too long."""

    def __init__(self, reason: str, *, again: bool = False, late: bool = False) -> None:
        super().__init__(reason)
        self.reason = reason
        self.again = again
        self.late = late


class EndpointBusy(Exception):
    """Nothing was sent: too many calls to the same host and port are under way or waiting. Try later."""


class RuleFailed(Exception):
    """A rule that gave no value; ``reason`` is for the operator's log and for events."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason
