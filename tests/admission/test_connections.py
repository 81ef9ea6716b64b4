"""Too many connections, and those that are kept for nothing: on servers of their own."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from prometheus_client.exposition import generate_latest

from api.serving import body, connections
from api.serving.body import read_body
from api.serving.connections import Connections, as_many_as_allowed
from api.serving.listeners import listen, serving
from engine import unending
from engine.metrics import Metrics
from tests.admission.asgi import Site, run
from tests.api.conftest import GA, sign
from tests.runtime.scraping import parsed

WHOLE = b"GET / HTTP/1.1\r\nhost: x\r\n\r\n"
LARGE = 64 * 1024 * 1024
"""More than any buffers on the way take."""

Pair = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class Server:
    """Answers everything with so many bytes, or, while it is held, nothing."""

    def __init__(self, most: int, size: int = 0) -> None:
        self.metrics = Metrics()
        self.connections = Connections(most, self.metrics)
        self.goes_on = asyncio.Event()
        self.goes_on.set()
        self.asked = 0
        self._content = b"x" * size

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            return
        self.asked += 1
        await self.goes_on.wait()
        length = (b"content-length", b"%d" % len(self._content))
        await send({"type": "http.response.start", "status": 200, "headers": [length]})
        await send({"type": "http.response.body", "body": self._content})

    @contextlib.asynccontextmanager
    async def runs(self) -> AsyncIterator[None]:
        listener = listen("127.0.0.1", 0)
        self._address = listener.getsockname()
        async with serving(self, [listener], connections=self.connections):
            yield
            self.goes_on.set()

    async def connect(self, sends: bytes = b"") -> Pair:
        """A connection that the server knows of."""
        before = self.seen()
        reader, writer = await asyncio.open_connection(*self._address)
        while self.seen() == before:
            await asyncio.sleep(0)
        writer.write(sends)
        return reader, writer

    def seen(self) -> float:
        """How many connections were taken in or refused."""
        return len(self.connections._open) + sum(self.cut().values())

    def cut(self) -> dict[str, float]:
        """How many were cut, by reason."""
        found = parsed(generate_latest(self.metrics.registry).decode())
        start = 'jobrouter_connections_cut_total{reason="'
        return {name[len(start) : -2]: n for name, n in found.items() if name.startswith(start)}


async def closed(pair: Pair) -> bytes:
    """All that comes until the connection is closed."""
    received = b""
    with contextlib.suppress(ConnectionError):
        while part := await pair[0].read(65_536):
            received += part
    pair[1].close()
    return received


async def answered(pair: Pair) -> None:
    pair[1].write(WHOLE)
    assert (await pair[0].readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 200")


def test_one_too_many_takes_the_place_of_one_that_asks_nothing() -> None:
    async def work() -> None:
        server = Server(3)
        async with server.runs():
            used = await server.connect()
            await answered(used)
            silent = await server.connect()
            half = await server.connect(WHOLE[:9])
            another = await server.connect()
            # the one that has asked nothing for longest
            assert await closed(silent) == b""
            await answered(another)
            more = await server.connect()
            assert await closed(half) == b""
            await answered(more)
            # now all have asked: the oldest goes
            last = await server.connect()
            assert await closed(used) == b""
            await answered(another)
            await answered(last)
            assert server.cut() == {"idle": 3}
            for pair in (another, more, last):
                pair[1].close()

    run(work)


def test_nobody_is_cut_whose_request_is_under_way() -> None:
    async def work() -> None:
        server = Server(2)
        async with server.runs():
            server.goes_on.clear()
            busy = [await server.connect(WHOLE) for _ in range(2)]
            while server.asked < 2:
                await asyncio.sleep(0)
            head, _, content = (await closed(await server.connect(WHOLE))).partition(b"\r\n\r\n")
            assert head.startswith(b"HTTP/1.1 503 ")
            assert b"retry-after: 1" in head
            assert json.loads(content)["error"]["code"] == "ServiceUnavailable"
            server.goes_on.set()
            for reader, writer in busy:
                assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 200")
                writer.close()
            assert server.cut() == {"refused": 1}
            assert server.asked == 2

    run(work)


@pytest.mark.parametrize("request_", [WHOLE, WHOLE.replace(b"\r\n\r\n", b"\r\nconnection: close\r\n\r\n")])
def test_an_answer_that_nobody_reads_is_let_go(request_: bytes) -> None:
    async def work() -> None:
        server = Server(9, LARGE)
        async with server.runs():
            unread = await server.connect(request_)
            reading = await server.connect(WHOLE)
            await reading[0].readuntil(b"\r\n\r\n")
            for _ in range(connections.STUCK_LOOKS + 2):
                # the one who reads on, however slowly, may stay
                await reading[0].readexactly(2 * 1024 * 1024)
                await asyncio.sleep(0.01)
                server.connections.look()
            assert len(await closed(unread)) < LARGE
            assert server.cut() == {"unread": 1}
            reading[1].close()
            unread[1].close()

    run(work)


def test_a_look_that_fails_is_not_the_last(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(connections, "LOOK_SECONDS", 0.001)
    monkeypatch.setattr(unending, "PAUSE_SECONDS", 0.001)

    async def work() -> None:
        looks, again = 0, asyncio.Event()

        class Odd:
            transport: Any = None
            asked = idle = True

            @property
            def unread(self) -> int:
                nonlocal looks
                looks += 1
                if looks == 1:
                    raise KeyError("odd")
                again.set()
                return 0

        it = Connections(1)
        assert it.opened(Odd())
        async with it.watched():
            await again.wait()

    run(work)
    told = [record.getMessage() for record in caplog.records if record.levelname == "ERROR"]
    assert told == ["looking at connections: failed, going on"]


BROKEN = b"POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\nno chunk\r\n"


@pytest.mark.parametrize(("more", "room"), [(WHOLE, None), (BROKEN, None), (BROKEN, 2 * LARGE)])
def test_a_request_behind_an_answer_that_nobody_reads_holds_nothing(more: bytes, room: int | None) -> None:
    """Whether its own answer waits for room, or it has ended the connection with room or without."""

    async def work() -> None:
        server = Server(9, LARGE)
        async with server.runs():
            pair = await server.connect()
            (known,) = server.connections._open
            known.transport.set_write_buffer_limits(high=room)
            pair[1].write(WHOLE)
            await pair[0].readuntil(b"\r\n\r\n")
            pair[1].write(more)
            while server.asked < 2:
                await asyncio.sleep(0)
            for _ in range(connections.STUCK_LOOKS + 2):
                await asyncio.sleep(0.01)
                server.connections.look()
            assert server.cut() == {"unread": 1}
            assert len(await closed(pair)) < LARGE

    run(work)


def test_bodies_that_do_not_end_have_a_bound_together(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(body, "COMING_BYTES", 1_000)

    async def coming(ends: asyncio.Event) -> Any:
        sent = 0

        async def receive() -> Any:
            nonlocal sent
            sent += 1
            if sent == 1:
                return {"type": "http.request", "body": b"x" * 400, "more_body": True}
            await ends.wait()
            return {"type": "http.request", "body": b"", "more_body": False}

        return receive

    async def work() -> None:
        ends = asyncio.Event()
        slow = [asyncio.create_task(read_body(await coming(ends), 10_000)) for _ in range(2)]
        while body._Coming.size < 800:
            await asyncio.sleep(0)
        site = Site()
        site.store.goes_on.set()
        chunks = [b"{" + b" " * 400, b"}"]
        target = f"/routing/queues/x?api-version={GA}"
        headers = sign("PATCH", target, b"".join(chunks))
        refused = await site.ask("PATCH", chunks=chunks, **headers)
        assert (refused.status, refused.headers["retry-after"]) == (503, "1")
        # what comes in one piece waits for nothing
        assert (await site.ask("PATCH")).status == 200
        ends.set()
        assert [len(await one) for one in slow] == [400, 400]
        assert body._Coming.size == 0
        assert (await site.ask("PATCH", chunks=chunks, **headers)).status == 200

    run(work)


def test_no_more_connections_than_files(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(connections, "allow", lambda wanted: 1_024)
    assert as_many_as_allowed(800) == 800
    assert caplog.records == []
    assert as_many_as_allowed(5_000) == 824
    assert "ulimit -n" in caplog.text
