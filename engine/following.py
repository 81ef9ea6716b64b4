"""The blocking read of a router's outbox, for those who follow it over a connection of their own.

What a lost connection means is left to them, for there they differ: the feed goes on where it was, since its
listeners have nothing else to read from; deliveries begin anew at the end, since whoever misses entries reads
them from the store. The observer does not follow: it reads portions that it commits before it counts them.
"""

from __future__ import annotations

import asyncio
from typing import Any

from redis.asyncio import Redis

from engine.commands import EventList
from engine.outbox import Entry, Lost, of_stream
from engine.store import Store

_BLOCK_SECONDS = 5.0
_ANSWER_SECONDS = 5.0
_ENTRIES_AT_ONCE = 200
_NEWEST = 10**15


async def newest(store: Store, root: str) -> int:
    """Number of the last entry that there ever was, 0 for none. Raises what the store does."""
    return int((await store.run(root, EventList(_NEWEST, 1)))["last"])


async def follow(client: Redis, root: str, after: int) -> list[Entry]:
    """The entries after one, once there are any; none when none came for some seconds.

    ``client`` is one of ``engine.clients.reading``. Raises Lost when an entry is missing or the log has
    begun anew; RedisError, OSError and TimeoutError when the connection is lost.
    """
    block_ms = int(_BLOCK_SECONDS * 1000)
    command = ("XREAD", "COUNT", _ENTRIES_AT_ONCE, "BLOCK", block_ms, "STREAMS", f"{root}:events")
    async with asyncio.timeout(_BLOCK_SECONDS + _ANSWER_SECONDS):
        reply: Any = await client.execute_command(*command, f"{after}-0")  # type: ignore[no-untyped-call]
    entries = [of_stream(entry_id, fields) for entry_id, fields in reply[0][1]] if reply else []
    for entry in entries:
        if entry.previous != after:
            raise Lost(after, entry.number)
        after = entry.number
    return entries
