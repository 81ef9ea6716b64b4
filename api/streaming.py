"""Answers whose body comes in parts, for as long as the client stays.

All that can be refused is refused before such an answer exists, so errors are whole answers as ever. What
fails later ends the connection without the mark of a complete body.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Coroutine, Sequence
from typing import Any, NamedTuple, TypeVar

from starlette.types import Message, Receive, Scope, Send

from api.errors import Header

T = TypeVar("T")

LAST_SECONDS = 1.0
"""How long a client that is let go may take to read what was written for it."""

SEND_SECONDS = 60.0
"""How long a client may take to make room for the next part, before its connection is cut."""

ABORT = "jobrouter.abort"
"""The extension of the ASGI scope by which a connection is cut at once."""


class Disconnected(Exception):
    """The client went away before its answer was complete."""


class Streaming(NamedTuple):
    """A 200 whose body is written part by part.

    When ``over`` is done the parts are about to end. ``close`` frees what they hold: parts of which none was
    taken cannot do so themselves.
    """

    headers: Sequence[Header]
    parts: AsyncGenerator[bytes, None]
    over: asyncio.Future[Any]
    close: Callable[[], None]

    def then(self, more: Callable[[], None]) -> Streaming:
        """The same, with one thing more that is done at its end."""
        close = self.close

        def both() -> None:
            close()
            more()

        return self._replace(close=both)

    async def deliver(self, headers: Sequence[Header], scope: Scope, receive: Receive, send: Send) -> None:
        """Sends it. Whatever happens, all is freed then."""
        work = asyncio.create_task(self._write([*headers, *self.headers], send))
        gone = asyncio.create_task(disconnection(receive))
        try:
            await asyncio.wait({work, gone, self.over}, return_when=asyncio.FIRST_COMPLETED)
            if not work.done() and not gone.done():
                await asyncio.wait({work, gone}, timeout=LAST_SECONDS, return_when=asyncio.FIRST_COMPLETED)
            complete = work.result() if work.done() else gone.done()
        except BaseException:
            complete = False
            raise
        finally:
            if not complete and (abort := scope.get("extensions", {}).get(ABORT)):
                abort["now"]()
            work.cancel()
            gone.cancel()
            await asyncio.gather(work, gone, return_exceptions=True)
            await self.parts.aclose()
            self.close()

    async def _write(self, headers: Sequence[Header], send: Send) -> bool:
        """Writes it all; or not, when the client does not read."""
        start = {"type": "http.response.start", "status": 200, "headers": headers}
        if not await _sent(send, start):
            return False
        async for part in self.parts:
            if not await _sent(send, {"type": "http.response.body", "body": part, "more_body": True}):
                return False
        return await _sent(send, {"type": "http.response.body", "body": b""})


async def _sent(send: Send, message: Message) -> bool:
    """Sends a message, unless the client does not make room for it in time."""
    try:
        async with asyncio.timeout(SEND_SECONDS) as bound:
            await send(message)
    except TimeoutError:
        if bound.expired():
            return False
        raise
    return True


async def disconnection(receive: Receive) -> None:
    """Waits until the client goes away; its request must have been read."""
    while (await receive())["type"] != "http.disconnect":
        pass


async def unless_gone(receive: Receive, work: Coroutine[Any, Any, T]) -> T:
    """What the work gives; it is cancelled when the client goes away. Raises Disconnected."""
    doing = asyncio.ensure_future(work)
    gone = asyncio.create_task(disconnection(receive))
    try:
        await asyncio.wait({doing, gone}, return_when=asyncio.FIRST_COMPLETED)
        if not doing.done():
            raise Disconnected
        return doing.result()
    finally:
        doing.cancel()
        gone.cancel()
        await asyncio.gather(doing, gone, return_exceptions=True)
