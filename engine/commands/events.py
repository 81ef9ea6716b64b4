"""The outbox, and who counts what it tells."""

from __future__ import annotations

from engine.commands.base import Command


class EventList(Command, frozen=True):
    """Entries of the outbox after the entry ``after`` (exclusive), oldest first."""

    function = "jr_event_list"
    write = False

    after: int = 0
    limit: int = 100


class ObserverLease(Command, frozen=True):
    """Count what the outbox tells, for ``lease_ms`` (0 = no longer). ``seen``: the last entry counted."""

    function = "jr_observer_lease"

    holder: str
    lease_ms: int
    seen: int = 0
