"""A bound for what is under way in this process at once, shared by its routers without a plan.

A router may have as many under way as there are places left. So one that asks for everything gets half of the
places, two get a third each, three a quarter, and there is always a place for one that has asked for little.
A router alone in its process has all of them.
"""

from __future__ import annotations

from collections.abc import Iterable


class Gate:
    """At most ``most`` under way, of all these routers together."""

    __slots__ = ("lanes", "most", "shared", "under_way")

    def __init__(self, most: int, tenants: Iterable[str]) -> None:
        self.most = most
        self.under_way = 0
        self.lanes = {tenant: Lane(self) for tenant in tenants}
        self.shared = len(self.lanes) > 1


class Lane:
    """What one router has under way."""

    __slots__ = ("_gate", "under_way")

    def __init__(self, gate: Gate) -> None:
        self._gate = gate
        self.under_way = 0

    def has_room(self) -> bool:
        """Whether one more may come in."""
        gate = self._gate
        return (self.under_way if gate.shared else 0) < gate.most - gate.under_way

    def enter(self) -> None:
        """One more is under way; ask first whether it may."""
        self._gate.under_way += 1
        self.under_way += 1

    def leave(self) -> None:
        """One less."""
        self._gate.under_way -= 1
        self.under_way -= 1
