"""The head of a tenant's outbox: one reader a process, for all subscriptions that are not behind."""

from __future__ import annotations

import asyncio
import bisect
import logging
from collections.abc import Callable

import hiredis

from engine.address import Address
from engine.connection import Connection
from engine.deliveries.outbox import Entry, entry_of_stream
from engine.errors import Unavailable

log = logging.getLogger("jobrouter.worker")

MOST_ENTRIES = 1_000
MOST_TEXT = 8 * 1024 * 1024
"""What is kept of the newest entries: so many, and about so many characters."""

_BLOCK_SECONDS = 5.0
_PORTION = 200
_PAUSE_SECONDS = 0.1
_LONGEST_PAUSE_SECONDS = 2.0
_REPORTED_FAILURE = 3


class Tail:
    """Follows the outbox while somebody listens; ``wake`` is called whenever there are new entries."""

    def __init__(self, url: str, root: str, wake: Callable[[], None]) -> None:
        self._url = url
        self._key = f"{root}:events"
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
        # a connection of its own: its calls wait in the server
        connection = Connection(Address.parse(self._url), timeout=_BLOCK_SECONDS + 5.0)
        failures = 0
        try:
            while True:
                try:
                    await self._start(connection)
                    failures = 0
                    while True:
                        await self._read(connection)
                except (Unavailable, hiredis.ReplyError) as error:
                    failures += 1
                    if failures == _REPORTED_FAILURE:
                        log.warning("cannot follow the events, trying on: %s", error)
                # what comes until it goes on is read by those who miss it
                self._forget()
                self._wake()
                await asyncio.sleep(min(_LONGEST_PAUSE_SECONDS, _PAUSE_SECONDS * 2 ** min(failures, 10)))
        finally:
            self._forget()
            await connection.close()

    def _forget(self) -> None:
        self._entries, self._size, self._base = [], 0, None

    async def _start(self, connection: Connection) -> None:
        newest = await connection.call("XREVRANGE", self._key, "+", "-", "COUNT", "1")
        if newest:
            self._base = int(newest[0][0].partition("-")[0])
        else:
            # the root hash knows the last one that there ever was
            state = await connection.call("HGET", self._root, "state") or ""
            self._base = int(state.partition(" event=")[2].partition(" ")[0] or 0)
        self._wake()

    async def _read(self, connection: Connection) -> None:
        last = self._entries[-1].number if self._entries else self._base
        wait = f"{1000 * _BLOCK_SECONDS:.0f}"
        found = await connection.call(
            "XREAD", "COUNT", str(_PORTION), "BLOCK", wait, "STREAMS", self._key, f"{last}-0"
        )
        if not found:
            return
        for entry_id, fields in found[0][1]:
            entry = entry_of_stream(entry_id, fields)
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
