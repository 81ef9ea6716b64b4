"""How many deliveries go out at a time: each subscription has one of its own right, more are shared."""

from __future__ import annotations

EXTRA = 512
"""Deliveries at a time beside the first of each subscription, in one process."""
MOST = 32
"""Deliveries at a time for one subscription."""
SLOW_SECONDS = 2.0
"""An endpoint that takes longer holds places that others could use."""


class Slots:
    """The places that all subscriptions of a process share; ``free`` of them nobody has."""

    def __init__(self, extra: int = EXTRA) -> None:
        self.free = extra

    def take(self) -> bool:
        """Takes a place if there is one."""
        if self.free <= 0:
            return False
        self.free -= 1
        return True

    def give_back(self) -> None:
        """Another may have it."""
        self.free += 1


class Pace:
    """How many deliveries one subscription may have under way.

    A slow endpoint has fewer and fewer, down to the one that is its right; a quick one has more again.
    """

    def __init__(self) -> None:
        self.most = MOST

    def took(self, seconds: float) -> None:
        """A delivery has ended after so long."""
        if seconds > SLOW_SECONDS:
            self.most = max(1, self.most // 2)
        else:
            self.most = min(MOST, self.most + 1)
