"""The head of a tenant's outbox: one reader a process, for all subscriptions that are not behind."""

from __future__ import annotations

import asyncio
import bisect
import logging
from collections.abc import Callable, Iterable

from redis.exceptions import RedisError

from engine import outbox
from engine.clients import reading
from engine.deliveries.outbox import Entry, entry_of
from engine.errors import Failed, Refused, Unavailable
from engine.following import follow, newest
from engine.outbox import Lost
from engine.store import Store
from engine.unending import unending

log = logging.getLogger("jobrouter.worker")

NAME = "jobrouter-deliveries"
"""The name of the connection, as CLIENT LIST shows it."""

MOST_ENTRIES = 1_000
MOST_TEXT = 8 * 1024 * 1024
"""What is kept of the newest entries: so many, and so many bytes."""

_PAUSE_SECONDS = 0.1
_LONGEST_PAUSE_SECONDS = 2.0
_REPORTED_FAILURE = 3


class Tail:
    """Follows the outbox while somebody listens; ``wake`` is called whenever there are new entries."""

    def __init__(self, store: Store, root: str, wake: Callable[[], None]) -> None:
        self._store = store
        self._root = root
        self._wake = wake
        self._entries: list[Entry] = []
        self._size = 0
        self._base: int | None = None
        """The entry before the first that is kept here; None while the outbox is not followed."""

    def after(self, number: int, count: int) -> list[Entry] | None:
        """The entries after one, at most so many; none at the head. None: they are not kept here."""
        if self._base is None or number < self._base:
            return None
        first = bisect.bisect_right(self._entries, number, key=lambda entry: entry.number)
        return self._entries[first : first + count]

    async def run(self) -> None:
        """Follows until it is cancelled."""
        await unending(self._follow, "following the events for deliveries", log)

    async def _follow(self) -> None:
        failures = 0
        try:
            while True:
                try:
                    async with (
                        self._store.servers.staying(self._root) as address,
                        reading(address, NAME) as client,
                    ):
                        last = self._base = await newest(self._store, self._root)
                        self._wake()
                        while True:
                            entries = await follow(client, self._root, last)
                            failures = 0
                            if entries:
                                last = entries[-1].number
                                self._keep(entries)
                except (Unavailable, Refused, Failed, RedisError, OSError, TimeoutError, Lost) as error:
                    failures += 1
                    if failures == _REPORTED_FAILURE:
                        log.warning("cannot follow the events, trying on: %s", error)
                # what comes until it goes on is read by those who miss it
                self._forget()
                self._wake()
                await asyncio.sleep(min(_LONGEST_PAUSE_SECONDS, _PAUSE_SECONDS * 2 ** min(failures, 10)))
        finally:
            self._forget()
            self._wake()

    def _forget(self) -> None:
        self._entries, self._size, self._base = [], 0, None

    def _keep(self, entries: Iterable[outbox.Entry]) -> None:
        for read in entries:
            entry = entry_of(read)
            self._entries.append(entry)
            self._size += entry.size
        self._trim()
        self._wake()

    def _trim(self) -> None:
        gone = 0
        while len(self._entries) - gone > MOST_ENTRIES or (
            self._size > MOST_TEXT and len(self._entries) - gone > 1
        ):
            self._size -= self._entries[gone].size
            gone += 1
        if gone:
            self._base = self._entries[gone - 1].number
            del self._entries[:gone]
