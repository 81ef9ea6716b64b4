"""One auto-pipelined connection: all calls of one event-loop tick leave in one write.

It sends what it is given to one address and knows no topology. The outcome of a call that was sent and not answered is
unknown: it fails with Unavailable and is never repeated here. A call that has been sent is executed even when its
caller goes away. Never send a blocking command on it.
"""

from __future__ import annotations

import asyncio
import ssl
from collections import deque
from collections.abc import Callable
from typing import Any, cast
from urllib.parse import unquote, urlsplit

import hiredis
import msgspec

from engine.errors import Unavailable

HIGH_WATER = 10_000
"""Calls under way before further ones have to wait."""

_pack = cast(Callable[[tuple[bytes | str, ...]], bytes], hiredis.pack_command)


class Address(msgspec.Struct, frozen=True):
    """Where a server listens, and how to sign in."""

    host: str = ""
    port: int = 6379
    path: str = ""
    tls: bool = False
    username: str = ""
    password: str = ""
    database: int = 0

    @classmethod
    def parse(cls, url: str) -> Address:
        """An address of redis://, rediss:// or unix:// with the usual parts. Raises ValueError."""
        parts = urlsplit(url)
        if parts.scheme not in ("redis", "rediss", "unix", "valkey", "valkeys"):
            raise ValueError(f"not a Redis URL: {parts.scheme or url!r}; use redis://, rediss:// or unix://")
        user = unquote(parts.username or "")
        password = unquote(parts.password or "")
        if parts.scheme == "unix":
            query = dict(pair.partition("=")[::2] for pair in parts.query.split("&"))
            return cls(
                path=unquote(parts.path), username=user, password=password, database=int(query.get("db") or 0)
            )
        return cls(
            host=parts.hostname or "localhost",
            port=parts.port or 6379,
            tls=parts.scheme in ("rediss", "valkeys"),
            username=user,
            password=password,
            database=int(parts.path.strip("/") or 0),
        )


class Channel(asyncio.Protocol):
    """The wire: replies are matched to calls in their order."""

    def __init__(self, on_lost: Callable[[], None], timeout: float) -> None:
        self._timeout = timeout
        self._answered_at = 0.0
        self._reader = hiredis.Reader(replyError=hiredis.ReplyError, notEnoughData=Ellipsis)
        self._waiting: deque[asyncio.Future[Any]] = deque()
        self._buffer: list[bytes] = []
        self._flushing = False
        self._on_lost = on_lost
        self._transport: asyncio.Transport | None = None
        self._loop = asyncio.get_running_loop()
        self.writable = asyncio.Event()
        self.writable.set()

    @property
    def is_open(self) -> bool:
        return self._transport is not None and not self._transport.is_closing()

    @property
    def under_way(self) -> int:
        return len(self._waiting)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._watch()

    def _watch(self) -> None:
        # replies come in the order of calls: when none has come for too long the server hangs. One timer for all calls,
        # since one for each would cost more than the call itself
        if not self.is_open:
            return
        if self._waiting and self._loop.time() - self._answered_at > self._timeout:
            self._fail("the store did not answer in time; whether the call was executed is unknown")
            self.abort()
            return
        self._loop.call_later(self._timeout / 4, self._watch)

    def data_received(self, data: bytes) -> None:
        self._answered_at = self._loop.time()
        self._reader.feed(data)
        waiting = self._waiting
        while (reply := self._reader.gets()) is not Ellipsis:
            future = waiting.popleft()
            if future.done():
                continue
            if isinstance(reply, hiredis.ReplyError):
                future.set_exception(reply)
            else:
                future.set_result(reply)

    def pause_writing(self) -> None:
        self.writable.clear()

    def resume_writing(self) -> None:
        self.writable.set()

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        self.writable.set()
        self._fail("the connection to the store was lost; whether the call was executed is unknown")
        self._on_lost()

    def _fail(self, text: str) -> None:
        while self._waiting:
            future = self._waiting.popleft()
            if not future.done():
                future.set_exception(Unavailable(text))

    def send(self, command: bytes) -> asyncio.Future[Any]:
        """Sends one packed command with the others of this tick."""
        future: asyncio.Future[Any] = self._loop.create_future()
        if not self._waiting:
            self._answered_at = self._loop.time()
        self._waiting.append(future)
        self._buffer.append(command)
        if not self._flushing:
            self._flushing = True
            self._loop.call_soon(self._flush)
        return future

    def _flush(self) -> None:
        self._flushing = False
        if self._transport is not None:
            self._transport.write(b"".join(self._buffer))
        self._buffer.clear()

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()

    def abort(self) -> None:
        if self._transport is not None:
            self._transport.abort()


class Connection:
    """A connection that opens itself anew, with growing pauses, after it was lost."""

    def __init__(self, address: Address, *, timeout: float = 5.0, connect_timeout: float = 2.0) -> None:
        self._address = address
        self._timeout = timeout
        self._connect_timeout = connect_timeout
        self._channel: Channel | None = None
        self._opening: asyncio.Task[Channel] | None = None
        self._closed = False
        self._failures = 0
        self._retry_at = 0.0

    async def call(self, *arguments: bytes | str) -> Any:
        """Sends one command and gives its reply; gives up after ``timeout`` seconds without any reply.

        Raises hiredis.ReplyError for an error reply, Unavailable when there is no reply.
        """
        channel = self._channel
        if channel is None or not channel.is_open:
            channel = await self._open()
        if not channel.writable.is_set() or channel.under_way >= HIGH_WATER:
            await self._wait_for_room(channel)
        # a cancelled caller leaves its place in the line: the call is executed, its reply is dropped
        return await channel.send(_pack(arguments))

    async def _wait_for_room(self, channel: Channel) -> None:
        deadline = asyncio.get_running_loop().time() + self._timeout
        while channel.is_open and (not channel.writable.is_set() or channel.under_way >= HIGH_WATER):
            if asyncio.get_running_loop().time() > deadline:
                raise Unavailable("the store is overloaded; the call was not sent")
            await asyncio.sleep(0.001)
        if not channel.is_open:
            raise Unavailable("the connection to the store was lost; the call was not sent")

    async def _open(self) -> Channel:
        if self._closed:
            raise Unavailable("the store is closed")
        if self._opening is None or self._opening.done():
            loop = asyncio.get_running_loop()
            if loop.time() < self._retry_at:
                raise Unavailable("the store cannot be reached; the call was not sent")
            self._opening = loop.create_task(self._connect())
        return await asyncio.shield(self._opening)

    async def _connect(self) -> Channel:
        try:
            channel = await asyncio.wait_for(self._dial(), self._connect_timeout)
            await asyncio.wait_for(self._sign_in(channel), self._connect_timeout)
        except (OSError, TimeoutError, hiredis.HiredisError, Unavailable) as error:
            self._failures += 1
            pause = min(1.0, 0.01 * 2**self._failures)
            self._retry_at = asyncio.get_running_loop().time() + pause
            raise Unavailable(f"the store cannot be reached ({error}); the call was not sent") from error
        self._failures = 0
        self._channel = channel
        return channel

    async def _dial(self) -> Channel:
        loop, address = asyncio.get_running_loop(), self._address

        def made() -> Channel:
            return Channel(self._forget, self._timeout)

        if address.path:
            _, channel = await loop.create_unix_connection(made, address.path)
        else:
            context = ssl.create_default_context() if address.tls else None
            _, channel = await loop.create_connection(made, address.host, address.port, ssl=context)
        return channel

    async def _sign_in(self, channel: Channel) -> None:
        if self._address.password:
            user = self._address.username or "default"
            await channel.send(_pack(("AUTH", user, self._address.password)))
        if self._address.database:
            await channel.send(_pack(("SELECT", str(self._address.database))))

    def _forget(self) -> None:
        self._channel = None

    async def close(self) -> None:
        """Closes the connection; calls under way fail as unknown."""
        self._closed = True
        if self._opening is not None and not self._opening.done():
            self._opening.cancel()
        if self._channel is not None:
            self._channel.close()
            self._channel = None
