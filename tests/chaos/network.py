"""Proxies that lose, delay or hold what passes, in a thread of their own."""

from __future__ import annotations

import asyncio
import contextlib
import random
import threading
from collections import deque
from collections.abc import Coroutine, Iterator
from pathlib import Path
from typing import Any, TypeVar, cast

import uvloop

Place = Path | int
"""A unix socket, or a port of this machine."""

T = TypeVar("T")

_SECONDS = 10.0


class Link:
    """One place in front of another. ``loss`` may be changed at any time; the network changes the others."""

    def __init__(self, place: Place, target: Place, chance: random.Random) -> None:
        self.place = place
        self.target = target
        self.loss = 0.0
        """The share of the pieces of replies that are swallowed, each with its connection."""
        self.delay = 0.0
        """Seconds for which each piece of a reply is kept."""
        self.lost = 0
        """How many pieces were swallowed."""
        self.held = False
        self.ends: set[_End] = set()
        self._chance = chance
        self._doomed = b""

    @property
    def url(self) -> str:
        """Where a store is found behind it, or an API."""
        if isinstance(self.place, Path):
            return f"unix://{self.place}"
        return f"http://127.0.0.1:{self.place}"

    @property
    def port(self) -> int:
        """The port at which it listens."""
        assert isinstance(self.place, int)
        return self.place

    def cut(self, call: str) -> None:
        """The next call that has this text is executed, and its reply is lost."""
        self._doomed = call.encode()

    def dooms(self, request: bytes) -> bool:
        """Is this the request whose reply is to be lost? One is."""
        if not self._doomed or self._doomed not in request:
            return False
        self._doomed = b""
        return True

    def loses(self) -> bool:
        """Is this piece one of those that get lost?"""
        lost = self.loss > 0 and self._chance.random() < self.loss
        self.lost += lost
        return lost


class _End(asyncio.Protocol):
    """One end of a connection: gives to the other what it reads."""

    def __init__(self, link: Link, other: _End | None = None) -> None:
        self.link = link
        self.other = other
        self.transport: asyncio.Transport | None = None
        self.early: list[bytes] = []
        self.is_doomed = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        self.link.ends.add(self)
        if self.link.held:
            self.transport.pause_reading()

    def connection_lost(self, exc: Exception | None) -> None:
        self.transport = None
        self.link.ends.discard(self)
        if self.other is not None:
            self.other.close()

    def close(self) -> None:
        if self.transport is not None:
            self.transport.close()

    def cut(self) -> None:
        """Ends the connection on both sides."""
        for end in (self, self.other):
            if end is not None and end.transport is not None:
                end.transport.abort()

    def hurry(self) -> None:
        """Gives at once what it has kept."""

    def write(self, data: bytes) -> None:
        if self.transport is not None:
            self.transport.write(data)

    def pause_writing(self) -> None:
        self._let_other(reading=False)

    def resume_writing(self) -> None:
        self._let_other(reading=not self.link.held)

    def _let_other(self, *, reading: bool) -> None:
        if self.other is not None:
            self.other.let(reading=reading)

    def let(self, *, reading: bool) -> None:
        """Reads on, or leaves what comes to the system's buffers."""
        if self.transport is not None:
            (self.transport.resume_reading if reading else self.transport.pause_reading)()


class _Near(_End):
    """The end of who asks."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self._reaching = asyncio.get_running_loop().create_task(self._reach())

    async def _reach(self) -> None:
        far = _Far(self.link, self)
        try:
            await _connected(self.link.target, far)
        except OSError:
            self.cut()
            return
        self.other = far
        for data in self.early:
            far.write(data)
        if self.transport is None:
            far.close()

    def data_received(self, data: bytes) -> None:
        self.is_doomed = self.is_doomed or self.link.dooms(data)
        if self.other is None:
            self.early.append(data)
        else:
            self.other.write(data)


class _Far(_End):
    """The end of who answers."""

    def __init__(self, link: Link, other: _End) -> None:
        super().__init__(link, other)
        self._late: deque[bytes] = deque()

    def data_received(self, data: bytes) -> None:
        assert self.other is not None
        if self.other.is_doomed:
            self.link.lost += 1
            self.cut()
        elif self.link.loses():
            self.cut()
        elif self.link.delay:
            self._late.append(data)
            asyncio.get_running_loop().call_later(self.link.delay, self._next)
        else:
            self.other.write(data)

    def _next(self) -> None:
        if self._late and self.other is not None:
            self.other.write(self._late.popleft())

    def hurry(self) -> None:
        while self._late:
            self._next()


async def _connected(place: Place, end: _End) -> None:
    loop = asyncio.get_running_loop()
    if isinstance(place, Path):
        await loop.create_unix_connection(lambda: end, str(place))
    else:
        await loop.create_connection(lambda: end, "127.0.0.1", place)


class Network:
    """All links of a proof. Seeded: what is lost depends on nothing but the order of the pieces."""

    def __init__(self, chance: random.Random) -> None:
        self.links: list[Link] = []
        self._chance = chance
        self._loop = uvloop.new_event_loop()
        self._listening: list[asyncio.Server] = []
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()

    def before(self, target: Place, place: Place = 0) -> Link:
        """A link that listens at a place (0: a port that the system gives) in front of another."""
        link = Link(place, target, random.Random(self._chance.random()))

        async def listen() -> asyncio.Server:
            loop = asyncio.get_running_loop()
            if isinstance(place, Path):
                return await loop.create_unix_server(lambda: _Near(link), str(place))
            return await loop.create_server(lambda: _Near(link), "127.0.0.1", place)

        server = self._run(listen())
        if not isinstance(place, Path):
            link.place = server.sockets[0].getsockname()[1]
        self._listening.append(server)
        self.links.append(link)
        return link

    def delay(self, link: Link, seconds: float) -> None:
        """From now on each piece of a reply comes so much later; what is on its way comes at once."""

        async def change() -> None:
            link.delay = seconds
            for end in list(link.ends):
                end.hurry()

        self._run(change())

    def hold(self, link: Link, held: bool) -> None:
        """From now on nothing passes, either way; or everything again."""

        async def change() -> None:
            link.held = held
            for end in list(link.ends):
                end.let(reading=not held)

        self._run(change())

    def close(self) -> None:
        """Ends all connections and the thread."""

        async def end() -> None:
            for server in self._listening:
                server.close()
            while ends := [one for link in self.links for one in link.ends]:
                for one in ends:
                    one.cut()
                await asyncio.sleep(0.001)

        self._run(end())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(_SECONDS)
        self._loop.close()

    def _run(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(_SECONDS)


@contextlib.contextmanager
def network(chance: random.Random) -> Iterator[Network]:
    """A network, gone after the block."""
    it = Network(chance)
    try:
        yield it
    finally:
        it.close()
