"""The whole path of a request from bytes to bytes, in one process and without sockets.

Requests are fed to the protocol as a socket would feed them, so many at once. The store is the real
connection on a transport that gives the replies which a real server has given before. Little else is as
steady on a machine that others use as well.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import hiredis
from starlette.types import ASGIApp
from uvicorn.server import ServerState

from api.serving.listeners import server_of
from api.serving.protocol import Protocol
from engine.address import Address
from engine.channel import Channel
from engine.connection import Connection

AT_ONCE = 32
_CALL = b"\r\nFCALL"


class _Transport(asyncio.Transport):
    """One that is always there and never full."""

    def is_closing(self) -> bool:
        return False

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        pass

    def get_write_buffer_size(self) -> int:
        return 0

    def pause_reading(self) -> None:
        pass

    def resume_reading(self) -> None:
        pass

    def close(self) -> None:
        pass


# ---- the store ---------------------------------------------------------------------------------------------


class Tape(_Transport):
    """Gives each call the reply that is wanted of it, or asks a server and keeps its reply for later."""

    def __init__(self, url: str) -> None:
        super().__init__()
        self.channel: Channel | None = None
        self.reply: bytes | None = None
        """The reply to all calls; None: they are asked of the server."""
        self.last = b""
        """The server's last reply."""
        self._loop = asyncio.get_running_loop()
        self._server = socket.socket(socket.AF_UNIX)
        self._server.connect(url.removeprefix("unix://"))

    def write(self, data: bytes) -> None:  # type: ignore[override]
        """Calls leave, and their replies are there with the next turn of the loop."""
        assert self.channel
        reply = self._ask(data) if self.reply is None else self.reply * data.count(_CALL)
        self._loop.call_soon(self.channel.data_received, reply)

    def _ask(self, data: bytes) -> bytes:
        self._server.sendall(data)
        reader, self.last = hiredis.Reader(notEnoughData=Ellipsis), b""
        while reader.gets() is Ellipsis:
            data = self._server.recv(1 << 20)
            reader.feed(data)
            self.last += data
        return self.last

    def end(self) -> None:
        """Closes the connection to the server."""
        self._server.close()


class TapedConnection(Connection):
    """A connection over a tape."""

    def __init__(self, tape: Tape) -> None:
        super().__init__(Address.parse("unix:///tape"))
        self.tape = tape
        self.words: Sequence[Any] = ()
        """The last call."""

    def begin(self, *arguments: bytes | str) -> Awaitable[Any]:
        """Notes the call while replies are those of the server."""
        if self.tape.reply is None:
            self.words = arguments
        return super().begin(*arguments)

    async def _dial(self) -> Channel:
        channel = Channel(self._forget, self._timeout)
        self.tape.channel = channel
        channel.connection_made(self.tape)
        return channel


# ---- the clients -------------------------------------------------------------------------------------------


class _Client(_Transport):
    """Keeps what was written last."""

    def __init__(self) -> None:
        super().__init__({"peername": ("127.0.0.1", 50_000), "sockname": ("127.0.0.1", 8080)})
        self.written: list[bytes] = []
        self.write = self.written.append  # type: ignore[method-assign, assignment]


class Requests:
    """An application behind as many connections as there are requests under way."""

    def __init__(self, app: ASGIApp) -> None:
        self._loop = asyncio.get_running_loop()
        self._left = 0
        self._done: asyncio.Future[None] = self._loop.create_future()
        config, state, it = server_of(app).config, ServerState(), self

        class Counted(Protocol):
            def on_response_complete(self) -> None:
                super().on_response_complete()
                it._answered()

        self._clients = [_Client() for _ in range(AT_ONCE)]
        self._protocols = [Counted(config, state, {}) for _ in range(AT_ONCE)]
        for protocol, client in zip(self._protocols, self._clients, strict=True):
            protocol.connection_made(client)

    def _answered(self) -> None:
        self._left -= 1
        if not self._left:
            self._done.set_result(None)

    def all_of(self, request: bytes) -> Callable[[], Awaitable[None]]:
        """Feeds a request to all connections and waits until all are answered."""

        async def work() -> None:
            self._left, self._done = AT_ONCE, self._loop.create_future()
            for protocol in self._protocols:
                protocol.data_received(request)
            await self._done
            for client in self._clients:
                client.written.clear()

        return work

    async def answer(self, request: bytes) -> bytes:
        """What is answered to one request."""
        self._left, self._done = 1, self._loop.create_future()
        self._protocols[0].data_received(request)
        await self._done
        answer = b"".join(self._clients[0].written)
        self._clients[0].written.clear()
        return answer
