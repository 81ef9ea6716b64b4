"""Endpoints of subscriptions, on loopback: raw and quick, so that what is measured is the router.

Each knows which events must come, and in which order those of a job must: it judges what it gets.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import time
from collections.abc import AsyncIterator, Callable
from datetime import datetime

import msgspec

_TAKEN = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
_FAILED = b"HTTP/1.1 500 Failed\r\nContent-Length: 0\r\n\r\n"

ORDER = ("RouterJobReceived", "RouterJobQueued", "RouterJobCancelled")
"""The events of a job that is created and cancelled, in their order."""


class _Data(msgspec.Struct, rename="camel"):
    job_id: str


class _Event(msgspec.Struct, rename="camel"):
    id: str
    event_type: str
    event_time: datetime
    data: _Data


_decode = msgspec.json.Decoder(list[_Event]).decode


class Endpoint:
    """What it has got. ``fails``: the part of all tries that it answers with 500; ``hangs``: none."""

    def __init__(self, name: str, *, fails: float = 0.0, hangs: bool = False) -> None:
        self.name = name
        self.hangs = hangs
        self.port = 0
        self.tries = 0
        self.accepted: dict[str, int] = {}
        """Events that it has accepted, and the number of failed tries before, as the sender counts them."""
        self.repeats = 0
        """Events that came again although nothing had failed: somebody did not know that they had arrived."""
        self.late = 0
        """Events that came again because the sender did not wait for the answer."""
        self.out_of_order: list[str] = []
        self.delays: list[tuple[float, float]] = []
        """Of the first acceptance of each event: when it happened and how long after, in seconds."""
        self.on_accepted: Callable[[], None] = lambda: None
        self._fails = fails
        self._chance = random.Random(1)
        self._reached: dict[str, int] = {}

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/events"

    def answer(self, body: bytes, failed: int) -> bytes | None:
        """What it answers to a delivery after so many failed tries; None: nothing."""
        (event,) = _decode(body)
        self.tries += 1
        if self.hangs:
            return None
        # no event of a job may even be tried before all earlier ones were accepted
        place, job = ORDER.index(event.event_type.rpartition(".")[2]), event.data.job_id
        if place > self._reached.get(job, 0):
            self.out_of_order.append(event.id)
        if self._chance.random() < self._fails:
            return _FAILED
        before = self.accepted.get(event.id)
        if before is None:
            self._reached[job] = place + 1
            happened = event.event_time.timestamp()
            self.delays.append((happened, time.time() - happened))
        elif failed > before:
            self.late += 1
        else:
            self.repeats += 1
        self.accepted[event.id] = failed
        self.on_accepted()
        return _TAKEN

    @contextlib.asynccontextmanager
    async def listening(self) -> AsyncIterator[Endpoint]:
        """Listens while it is entered."""
        server = await asyncio.get_running_loop().create_server(lambda: _Connection(self), "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield self
        finally:
            server.close()


class _Connection(asyncio.Protocol):
    """HTTP as far as a client needs it that sends one request after the other."""

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint
        self._data = bytearray()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._data += data
        while (end := self._data.find(b"\r\n\r\n")) >= 0:
            head = bytes(self._data[: end + 2]).lower()
            size = end + 4 + _number(head, b"content-length:")
            if len(self._data) < size:
                return
            body = bytes(self._data[end + 4 : size])
            del self._data[:size]
            answer = self._endpoint.answer(body, _number(head, b"aeg-delivery-count:"))
            if answer:
                self._transport.write(answer)  # type: ignore[attr-defined]


def _number(head: bytes, name: bytes) -> int:
    """The number in a header."""
    return int(head.partition(name)[2].partition(b"\r\n")[0])
