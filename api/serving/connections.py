"""The open connections of a process: how many there may be, and that nobody keeps one for nothing.

Heads, bodies and streams have times of their own. What is left are clients who open connections and ask
nothing, and those who ask and do not read the answer.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Iterable
from typing import TYPE_CHECKING, Protocol

from engine.open_files import allow
from engine.unending import unending

if TYPE_CHECKING:
    from engine.metrics import Metrics

log = logging.getLogger("jobrouter.admission")

OTHER_FILES = 200
"""Files that a process opens beside its connections: those to the store, its log, what it calls."""

LOOK_SECONDS = 15.0
STUCK_LOOKS = 4
"""In how many looks in turn a client may have read nothing of a whole answer."""

ROOM_PARTS = 20
"""One part of so many is closed at once when there are too many: looking for them means to look at all."""

_AT_ONCE = 1_000


class Connection(Protocol):
    """What has to be known of a connection."""

    @property
    def asked(self) -> bool:
        """Whether there has been a request at all."""

    @property
    def idle(self) -> bool:
        """Whether there is none under way."""

    @property
    def unread(self) -> int:
        """Bytes that its client must read before anything goes on; 0 where something else goes on."""

    def abort(self) -> None:
        """Ends it at once."""


class Connections:
    """At most so many; a new one takes the place of one that is idle, if there is any."""

    def __init__(self, most: int, metrics: Metrics | None = None) -> None:
        self.most = most
        self._metrics = metrics
        self._open: dict[Connection, int] = {}
        """In the order in which they came, with the number of looks in which nothing was read."""
        self._unread: dict[Connection, int] = {}
        if metrics is not None:
            metrics.connections(lambda: len(self._open))

    def opened(self, connection: Connection) -> bool:
        """One more; False when there is no room for it."""
        if len(self._open) >= self.most and not self._make_room():
            self._cut("refused")
            return False
        self._open[connection] = 0
        return True

    def closed(self, connection: Connection) -> None:
        """One less."""
        self._open.pop(connection, None)
        self._unread.pop(connection, None)

    def _make_room(self) -> bool:
        """Closes those that are idle: first who has never asked anything, then the oldest."""
        wanted = max(1, self.most // ROOM_PARTS)
        idle = [one for one in self._open if one.idle]
        victims = sorted(idle, key=lambda one: one.asked)[:wanted]
        for victim in victims:
            self.closed(victim)
            victim.abort()
            self._cut("idle")
        return bool(victims)

    def look(self) -> None:
        """Closes the connections of those who have not read their answers for too long."""
        self._look(tuple(self._open))

    def _look(self, some: Iterable[Connection]) -> None:
        for one in some:
            if not (unread := one.unread):
                if self._unread.pop(one, None) is not None:
                    self._open[one] = 0
                continue
            stuck = self._unread.get(one) == unread
            self._unread[one] = unread
            looks = self._open[one] = self._open[one] + 1 if stuck else 0
            if looks >= STUCK_LOOKS:
                self.closed(one)
                one.abort()
                self._cut("unread")

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            every = tuple(self._open)
            for start in range(0, len(every), _AT_ONCE):
                self._look(one for one in every[start : start + _AT_ONCE] if one in self._open)
                await asyncio.sleep(0)

    @contextlib.asynccontextmanager
    async def watched(self) -> AsyncIterator[None]:
        """Looks now and then, to the end of the block."""
        task = asyncio.create_task(unending(self._watch, "looking at connections", log))
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    def _cut(self, reason: str) -> None:
        if self._metrics is not None:
            self._metrics.cut(reason)


def as_many_as_allowed(most: int) -> int:
    """So many connections, or as many as the system lets us have open; says so when these are fewer."""
    allowed = allow(most + OTHER_FILES)
    possible = min(most, max(allowed - OTHER_FILES, allowed // 2))
    if possible < most:
        log.warning(
            "%d connections at most instead of %d: raise the limit of open files (ulimit -n)", possible, most
        )
    return possible
