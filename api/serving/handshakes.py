"""TLS in front of http: a connection counts from when it is taken, not from the end of its handshake.

Left to the event loop, a client that opens connections and says nothing would hold as many as it likes, each
for a minute, and no bound for connections would know of them.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
from collections.abc import Callable
from ssl import SSLContext

from api.serving.connections import Connections
from api.serving.protocol import Protocol

log = logging.getLogger("jobrouter.admission")

HANDSHAKE_SECONDS = 10.0
"""How long a client may take for its handshake: a few round trips."""

_AT_ONCE = 64
_PAUSE_SECONDS = 1.0
"""Before connections are taken again when the system has no file for one."""


class Handshakes:
    """Takes connections from a listening socket, and hands each on when its handshake is done.

    Is closed and waited for as a server of asyncio is.
    """

    def __init__(
        self, listener: socket.socket, context: SSLContext, open: Connections, make: Callable[[], Protocol]
    ) -> None:
        self._listener = listener
        self._context = context
        self._open = open
        self._make = make
        self._loop = asyncio.get_running_loop()
        self._under_way: dict[asyncio.Task[None], _Handshake] = {}
        self._closed = False
        listener.setblocking(False)
        self._begin()

    def close(self) -> None:
        """Takes no more, and ends those that are under way."""
        self._closed = True
        self._loop.remove_reader(self._listener)
        for handshake in self._under_way.values():
            handshake.abort()

    async def wait_closed(self) -> None:
        """Waits until none is under way."""
        await asyncio.gather(*self._under_way, return_exceptions=True)

    def _begin(self) -> None:
        if not self._closed:
            self._loop.add_reader(self._listener, self._take)

    def _take(self) -> None:
        # in portions: the process has other things to do
        for _ in range(_AT_ONCE):
            try:
                wire, _ = self._listener.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                # another process was faster, or it has gone again
                return
            except OSError as error:
                log.error("connections cannot be taken, trying on: %s", error)
                self._loop.remove_reader(self._listener)
                self._loop.call_later(_PAUSE_SECONDS, self._begin)
                return
            wire.setblocking(False)
            handshake = _Handshake(wire)
            if not self._open.opened(handshake):
                # nothing can be told before it
                wire.close()
                continue
            task = self._loop.create_task(self._shake(handshake))
            self._under_way[task] = handshake
            task.add_done_callback(self._under_way.pop)

    async def _shake(self, handshake: _Handshake) -> None:
        http = self._make()
        http.handshake = handshake
        try:
            await self._loop.connect_accepted_socket(
                lambda: http, handshake.wire, ssl=self._context, ssl_handshake_timeout=HANDSHAKE_SECONDS
            )
        except OSError:
            # it speaks no TLS, does not trust us, was too slow or has gone
            pass
        finally:
            self._open.closed(handshake)


class _Handshake:
    """A connection until its handshake is done."""

    asked = False
    idle = True
    unread = 0

    def __init__(self, wire: socket.socket) -> None:
        self.wire = wire

    def abort(self) -> None:
        """Ends it; the event loop, which has the socket, closes it."""
        with contextlib.suppress(OSError):
            self.wire.shutdown(socket.SHUT_RDWR)
