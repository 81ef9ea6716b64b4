"""What is known of the tries of an event, and what follows from a failed one."""

from __future__ import annotations

from typing import Literal

import msgspec

DELAYS_MS = (10_000, 30_000, 60_000, 300_000, 600_000, 1_800_000, 3_600_000, 10_800_000, 21_600_000)
"""How long an event waits after its first failed try, its second, …"""
LATER_MS = 43_200_000
"""How long after all others."""
FINAL = frozenset({400, 401, 403, 413})
"""Statuses that would be the same next time: the event is given up at once."""
ARRIVED = range(200, 205)
"""Statuses that say that the event has arrived."""

Why = Literal["attempts", "age", "refused"]
"""Why an event was given up: too many tries, too old, or a status of ``FINAL``."""


class Tries(msgspec.Struct, omit_defaults=True, frozen=True):
    """The tries of an event so far. Times in epoch ms; ``status`` 0 when the last brought no answer.

    ``outcome`` is a text about the last one, without URL and secrets; ``late``: it had no answer in time;
    ``why`` stands when it was given up.
    """

    count: int = 0
    first: int = 0
    last: int = 0
    status: int = 0
    outcome: str = ""
    late: bool = False
    why: Why | Literal[""] = ""

    @classmethod
    def parse(cls, text: str) -> Tries:
        """Tries from their text, none from an empty one."""
        return msgspec.json.decode(text, type=cls) if text else cls()

    @property
    def text(self) -> str:
        """They as they are stored."""
        return msgspec.json.encode(self).decode()

    def after(self, now: int, status: int, outcome: str, late: bool = False) -> Tries:
        """With one more that has failed."""
        return Tries(self.count + 1, self.first or now, now, status, outcome, late)


def pause_ms(tries: int, scale: float) -> int:
    """How long an event waits after so many failed tries, all times multiplied by ``scale``."""
    return max(1, round(scale * (DELAYS_MS[tries - 1] if tries <= len(DELAYS_MS) else LATER_MS)))


def given_up(tries: Tries, born: int, most: int, minutes: int, scale: float) -> Why | None:
    """Why an event is not tried again after its last try; None when it is. ``born``: epoch ms.

    ``scale`` is that of the pauses; the age is as it is.
    """
    if tries.status in FINAL:
        return "refused"
    if tries.count >= most:
        return "attempts"
    if tries.last + pause_ms(tries.count, scale) > born + minutes * 60_000:
        return "age"
    return None
