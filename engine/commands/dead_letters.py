"""Events that could not be delivered."""

from __future__ import annotations

import msgspec

from engine.commands.base import Command


class DeadLetterList(Command, frozen=True):
    """Events that were given up, oldest first, after the id ``after`` (exclusive)."""

    function = "jr_dead_letter_list"
    write = False

    id: str
    after: str = ""
    limit: int = 100


class DeadLetterReplay(Command, frozen=True):
    """Deliver events once more that were given up: those of the ids, or a portion of those up to ``last``."""

    function = "jr_dead_letter_replay"

    id: str
    ids: list[str] = msgspec.field(default_factory=list)
    after: str = ""
    last: str = ""
