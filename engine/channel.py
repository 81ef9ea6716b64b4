"""The wire of one connection: calls of one tick leave in few writes, replies match calls by order."""

from __future__ import annotations

import asyncio
import os
from collections import deque
from collections.abc import Callable
from itertools import islice
from typing import Any, cast

import hiredis

from engine.errors import Unavailable

_LATE = "the store did not answer in time; whether the call was executed is unknown"

WRITE_LIMIT = 8 * 1024 * 1024
"""Bytes that may wait in the socket's buffer before further calls have to."""

EARLY_CALLS = 8
"""So many calls of one tick are written at once: the server works on them while the others are made.

Where all left together at the end of the tick, server and client would work in turns.
"""


class Channel(asyncio.Protocol):
    """An asyncio protocol over hiredis.

    ``timeout``, in seconds, is how long the server may give no reply at all, and how long a call may wait for
    its own; a call is given up late by half of it at most.
    """

    def __init__(self, on_lost: Callable[[Channel], None], timeout: float) -> None:
        self._reader = hiredis.Reader(
            replyError=hiredis.ReplyError,
            notEnoughData=Ellipsis,
            encoding="utf-8",
            errors="surrogateescape",
        )
        self._waiting: deque[asyncio.Future[Any]] = deque()
        self._buffer: list[bytes] = []
        self._will_flush = False
        self._plain = -1
        self._on_lost = on_lost
        self._timeout = timeout
        self._answered_at = 0.0
        self._sent = 0
        self._marks: deque[tuple[float, int]] = deque()
        self._transport: asyncio.Transport | None = None
        self._loop = asyncio.get_running_loop()
        self.writable = asyncio.Event()
        self.writable.set()

    @property
    def is_open(self) -> bool:
        return self._transport is not None and not self._transport.is_closing()

    @property
    def takes_calls(self) -> bool:
        """Whether it is open and there is room."""
        return self.is_open and self.writable.is_set()

    @property
    def under_way(self) -> int:
        """Calls without a reply, those that nobody waits for any more among them."""
        return len(self._waiting)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._transport.set_write_buffer_limits(high=WRITE_LIMIT)
        wire = transport.get_extra_info("socket")
        if wire is not None and transport.get_extra_info("ssl_object") is None:
            self._plain = wire.fileno()
        self._watch()

    def data_received(self, data: bytes) -> None:
        self._answered_at = self._loop.time()
        self._reader.feed(data)
        waiting = self._waiting
        try:
            while (reply := self._reader.gets()) is not Ellipsis:
                future = waiting.popleft()
                if future.done():
                    # its caller went away; the call was executed all the same
                    continue
                if isinstance(reply, hiredis.ReplyError):
                    future.set_exception(reply)
                else:
                    future.set_result(reply)
        except hiredis.ProtocolError:
            self.abort()

    def pause_writing(self) -> None:
        self.writable.clear()

    def resume_writing(self) -> None:
        self.writable.set()

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        self.writable.set()
        self._fail("the connection to the store was lost; whether the call was executed is unknown")
        self._on_lost(self)

    def send(self, command: bytes) -> asyncio.Future[Any]:
        """Sends one packed command with the others of this tick."""
        future: asyncio.Future[Any] = self._loop.create_future()
        if not self._waiting:
            self._answered_at = self._loop.time()
        self._waiting.append(future)
        self._sent += 1
        if not self._will_flush:
            self._will_flush = True
            self._loop.call_soon(self._flush)
        self._buffer.append(command)
        if len(self._buffer) == EARLY_CALLS:
            self._write_early()
        return future

    def _write_early(self) -> None:
        """Writes what there is past the event loop, which keeps all until the end of a tick."""
        transport = self._transport
        if (
            transport is None
            or self._plain < 0
            or transport.is_closing()
            or transport.get_write_buffer_size()
        ):
            return
        data = b"".join(self._buffer)
        self._buffer.clear()
        try:
            written = os.write(self._plain, data)
        except OSError:
            # no room, or a connection that is lost: the event loop knows what to do
            written = 0
        if written < len(data):
            transport.write(data[written:])

    def _flush(self) -> None:
        self._will_flush = False
        if self._buffer and self._transport is not None:
            self._transport.write(b"".join(self._buffer))
        self._buffer.clear()

    def _watch(self, *, last_chance: bool = False) -> None:
        # replies come in the order of calls: when none has come for too long the server hangs. One timer for
        # all calls, since one for each would cost more than the call itself. Until the connection is lost: a
        # closed one stays for as long as the server does not read what is buffered
        if self._transport is None:
            return
        now = self._loop.time()
        if not last_chance:
            self._marks.append((now, self._sent))
        silent = bool(self._waiting) and now - self._answered_at > self._timeout
        overdue = self._overdue(now)
        if (silent or overdue) and not last_chance:
            # perhaps it was this process that stood still: what has arrived meanwhile is read first
            self._loop.call_later(0.05, lambda: self._watch(last_chance=True))
            return
        if silent:
            self._fail(_LATE)
            self.abort()
            return
        # a server that answers, but slower than it is asked: their replies will come and find nobody
        for future in islice(self._waiting, overdue):
            if not future.done():
                future.set_exception(Unavailable(_LATE))
        self._loop.call_later(self._timeout / 4, self._watch)

    def _overdue(self, now: float) -> int:
        """How many of those that wait, the first ones, have waited for longer than they may."""
        marks = self._marks
        while len(marks) > 1 and now - marks[1][0] > self._timeout:
            marks.popleft()
        if not marks or now - marks[0][0] <= self._timeout:
            return 0
        return max(0, marks[0][1] - (self._sent - len(self._waiting)))

    def _fail(self, text: str) -> None:
        while self._waiting:
            future = self._waiting.popleft()
            if not future.done():
                future.set_exception(Unavailable(text))

    def close(self) -> None:
        """Closes after what is buffered has been written."""
        if self._transport is not None:
            self._transport.close()

    def abort(self) -> None:
        """Closes at once."""
        if self._transport is not None:
            self._transport.abort()
