"""Writes that are answered only when replicas have them: ``WAIT`` behind the writes of each tick.

One WAIT speaks for all writes that were sent before it on its connection, so those of one tick share it.
While the server waits it reads nothing more from the connection: writes that come meanwhile are held back and
share the next WAIT, so each waits for two of them at most, and all that is no write has a connection beside
it. It is the only blocking command on a connection that others use, and ends in time.
"""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec

from engine.address import Address
from engine.channel import Channel
from engine.connection import Connection
from engine.errors import Unavailable
from engine.settings import Settings

_WRITE = b"$5\r\nFCALL\r\n"
_HEAD = 24
"""Bytes at the beginning of a packed command with its number of words and the first of them."""


class Durability(msgspec.Struct, frozen=True):
    """How many replicas must have a write before it is answered, and how long (ms) that may take."""

    replicas: int
    timeout_ms: int = 1_000

    @classmethod
    def of(cls, settings: Settings) -> Durability | None:
        """What settings ask for; None when a write is answered as soon as the primary has it."""
        return cls(settings.wait_replicas, settings.wait_timeout_ms) if settings.wait_replicas else None


class ReplicatedConnection(Connection):
    """A connection that sees to it. A write fails with Unavailable when too few replicas have it in time."""

    def __init__(
        self, address: Address, durability: Durability, *, timeout: float, on_lost: Callable[[], None]
    ) -> None:
        channel = functools.partial(_ReplicatedChannel, durability)
        super().__init__(address, timeout=timeout, on_lost=on_lost, channel=channel)
        self._beside = Connection(address, timeout=timeout, on_lost=on_lost)

    def begin(self, *arguments: bytes | str) -> Awaitable[Any]:
        """Sends one command, to be awaited at once."""
        return super().begin(*arguments) if arguments[0] == "FCALL" else self._beside.begin(*arguments)

    def drop(self) -> None:
        """Drops both connections: the server is not the one to talk to any more."""
        self._beside.drop()
        super().drop()

    def let_go(self) -> None:
        """Ends both for ever, at once."""
        self._beside.let_go()
        super().let_go()

    async def close(self) -> None:
        """Closes both."""
        await self._beside.close()
        await super().close()


class _ReplicatedChannel(Channel):
    def __init__(self, durability: Durability, on_lost: Callable[[Channel], None], timeout: float) -> None:
        super().__init__(on_lost, timeout)
        self._durability = durability
        words = ("WAIT", str(durability.replicas), str(durability.timeout_ms))
        self._wait = b"*3\r\n" + b"".join(b"$%d\r\n%b\r\n" % (len(word), word.encode()) for word in words)
        self._batch: asyncio.Future[int] | None = None
        self._waits = False
        """Whether a WAIT is under way."""

    def send(self, command: bytes) -> asyncio.Future[Any]:
        """Sends one packed command: a write, or how one signs in."""
        reply = super().send(command)
        if command.find(_WRITE, 0, _HEAD) < 0:
            return reply
        if self._batch is None:
            self._batch = self._loop.create_future()
        return self._loop.create_task(self._kept(reply, self._batch))

    def _write_early(self) -> None:
        if not self._waits:
            super()._write_early()

    def _flush(self) -> None:
        if self._waits:
            # what there is stays in the buffer, and leaves when the WAIT is over
            return
        batch, self._batch = self._batch, None
        if batch is not None:
            self._waits = True
            super().send(self._wait).add_done_callback(lambda count: self._hand_on(count, batch))
        super()._flush()

    def _hand_on(self, count: asyncio.Future[Any], batch: asyncio.Future[int]) -> None:
        """The number of replicas; none when there was no answer, or an error."""
        failed = count.cancelled() or count.exception() is not None
        batch.set_result(0 if failed else int(count.result()))
        self._waits = False
        if self._will_flush:
            self._flush()

    async def _kept(self, reply: asyncio.Future[Any], batch: asyncio.Future[int]) -> Any:
        answer = await reply
        # it is shared: a caller that goes away does not take it from the others
        if await asyncio.shield(batch) < self._durability.replicas:
            raise Unavailable(
                f"fewer than {self._durability.replicas} replicas had the write in time; it was executed, "
                "whether it outlives the primary is unknown"
            )
        return answer
