"""One auto-pipelined connection that opens itself anew, with growing pauses, after it was lost.

It sends what it is given to one address and knows no topology. The outcome of a call that was sent and not
answered is unknown: it fails with Unavailable and is never repeated here. A call that has been sent is
executed even when its caller goes away. Never send a blocking command on one that others use.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Awaitable, Callable
from typing import Any, cast

import hiredis

from engine.address import Address
from engine.channel import Channel
from engine.errors import Unavailable, not_let_in
from engine.sharing import outcome_of

UNDER_WAY = 10_000
"""Calls under way, those that nobody waits for any more among them, before further ones are refused."""


def _overloaded() -> Unavailable:
    return Unavailable("the store is overloaded; the call was not sent")


MakeChannel = Callable[[Callable[[Channel], None], float], Channel]
"""Makes a channel from what is called when it is lost, and how long (s) the server may take to answer."""

_pack = cast(Callable[[tuple[bytes | str, ...]], bytes], hiredis.pack_command)


class Connection:
    """Calls to one server. Times in seconds. ``on_lost`` is called when the server is lost or not reached."""

    def __init__(
        self,
        address: Address,
        *,
        timeout: float = 5.0,
        connect_timeout: float = 2.0,
        on_lost: Callable[[], None] = lambda: None,
        channel: MakeChannel = Channel,
    ) -> None:
        self._address = address
        self._make_channel = channel
        self._on_lost = on_lost
        self._timeout = timeout
        self._connect_timeout = connect_timeout
        self._channel: Channel | None = None
        self._opening: asyncio.Task[Channel] | None = None
        self._callers = 0
        self._closed = False
        self._failures = 0
        self._retry_at = 0.0

    async def call(self, *arguments: bytes | str) -> Any:
        """Sends one command and gives its reply; gives up when there is none for ``timeout`` seconds.

        Raises hiredis.ReplyError for an error reply, Unavailable when there is no reply or too many calls are
        under way.
        """
        return await self.begin(*arguments)

    def begin(self, *arguments: bytes | str) -> Awaitable[Any]:
        """The same, to be awaited at once: nearly always the command is on its way already."""
        channel = self._channel
        if channel is None or not channel.takes_calls or channel.under_way >= UNDER_WAY:
            return self._wait_and_call(arguments)
        return channel.send(_pack(arguments))

    async def _wait_and_call(self, arguments: tuple[bytes | str, ...]) -> Any:
        if self._callers >= UNDER_WAY:
            raise _overloaded()
        self._callers += 1
        try:
            channel = self._channel
            if channel is None or not channel.is_open:
                channel = await self._open()
            if not channel.writable.is_set():
                await self._wait_for_room(channel)
            if not channel.is_open:
                # since it was opened, or since there was no room
                raise Unavailable("the connection to the store was lost; the call was not sent")
            if channel.under_way >= UNDER_WAY:
                raise _overloaded()
            return await channel.send(_pack(arguments))
        finally:
            self._callers -= 1

    def drop(self) -> None:
        """Drops the connection: the server is not the one to talk to any more."""
        if self._channel is not None:
            self._channel.abort()

    async def _wait_for_room(self, channel: Channel) -> None:
        try:
            # not wait_for, see _connect
            async with asyncio.timeout(self._timeout):
                await channel.writable.wait()
        except TimeoutError:
            raise _overloaded() from None

    async def _open(self) -> Channel:
        if self._closed:
            raise Unavailable("the store is closed")
        if self._opening is None or self._opening.done():
            loop = asyncio.get_running_loop()
            if loop.time() < self._retry_at:
                raise Unavailable("the store cannot be reached; the call was not sent")
            self._opening = loop.create_task(self._connect())
        return await outcome_of(self._opening, "the store is not talked to any more; the call was not sent")

    async def _connect(self) -> Channel:
        channel = None
        try:
            # not wait_for, which may swallow a cancellation, before Python 3.12
            async with asyncio.timeout(self._connect_timeout):
                channel = await self._dial()
            async with asyncio.timeout(self._connect_timeout):
                await self._sign_in(channel)
        except (OSError, TimeoutError, hiredis.HiredisError, Unavailable) as error:
            if channel is not None:
                channel.abort()
            self._failures += 1
            self._retry_at = asyncio.get_running_loop().time() + min(1.0, 0.01 * 2**self._failures)
            self._on_lost()
            if (closed := not_let_in(str(error))) is not None:
                raise closed from error
            # some tell nothing: who waited in vain, or was hung up on
            why = str(error) or ("no answer in time" if isinstance(error, TimeoutError) else "it hangs up")
            raise Unavailable(f"the store cannot be reached ({why}); the call was not sent") from error
        except asyncio.CancelledError:
            if channel is not None:
                channel.abort()
            raise
        self._failures = 0
        self._channel = channel
        return channel

    async def _dial(self) -> Channel:
        loop, address = asyncio.get_running_loop(), self._address

        def made() -> Channel:
            return self._make_channel(self._forget, self._timeout)

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

    def _forget(self, channel: Channel) -> None:
        if self._channel is channel:
            self._channel = None
            self._on_lost()

    def let_go(self) -> None:
        """Ends it for ever, at once: calls under way fail as unknown."""
        self._end()
        self.drop()

    def _end(self) -> None:
        self._closed = True
        if self._opening is not None and not self._opening.done():
            self._opening.cancel()

    async def close(self) -> None:
        """Closes the connection; calls under way fail as unknown."""
        self._end()
        if self._channel is not None:
            self._channel.close()
            self._channel = None
