"""What is refused below the application: what is no http, and heads without end."""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import select
import socket
from collections.abc import AsyncIterator, Iterator
from http.client import HTTPResponse
from typing import Any
from urllib.parse import urlsplit

import pytest

from api.serving import listeners, protocol
from api.serving.exchange import Exchange
from api.serving.listeners import listen, serving
from api.serving.protocol import MAX_HEAD
from tests.support import PATIENCE_SECONDS, Served


@pytest.fixture
def connection(served: Served) -> Iterator[socket.socket]:
    """A plain connection to the router."""
    place = urlsplit(served.url)
    with socket.create_connection((place.hostname, place.port), timeout=15) as it:
        yield it


def answer(connection: socket.socket) -> tuple[bytes, dict[str, Any]]:
    """Status line and error of what comes before the connection is closed."""
    received = b""
    with contextlib.suppress(ConnectionResetError):
        while part := connection.recv(65536):
            received += part
    head, _, content = received.partition(b"\r\n\r\n")
    assert b"content-type: application/json" in head
    return head.partition(b"\r\n")[0], json.loads(content)["error"]


def answer_to_what_has_no_end(
    connection: socket.socket, begin: bytes, more: bytes
) -> tuple[bytes, dict[str, Any]]:
    """The answer to this, with more and more after it until there is one."""
    connection.sendall(begin)
    with contextlib.suppress(ConnectionError):
        for _ in range(16 * MAX_HEAD // 1024):
            connection.sendall(more)
            if select.select([connection], [], [], 0)[0]:
                break
    return answer(connection)


@pytest.mark.parametrize("sent", [b"\x16\x03\x01", b"GET\r\n\r\n", b"GET / HTTP/1.1\r\nno colon\r\n\r\n"])
def test_no_http(connection: socket.socket, sent: bytes) -> None:
    connection.sendall(sent)
    status, error = answer(connection)
    assert status == b"HTTP/1.1 400 Bad Request"
    assert error["code"] == "BadRequest"


@pytest.mark.parametrize(
    ("begin", "more", "what"),
    [
        (b"GET / HTTP/1.1\r\nx-long: ", b"a" * 1024, "The request's head has more than 65536 bytes."),
        (b"GET / HTTP/1.1\r\n", b"x-another: 1\r\n" * 64, "The request has more than 100 headers."),
        (b"GET /", b"a" * 1024, "The request's head has more than 65536 bytes."),
    ],
)
def test_a_head_without_end(connection: socket.socket, begin: bytes, more: bytes, what: str) -> None:
    status, error = answer_to_what_has_no_end(connection, begin, more)
    assert status == b"HTTP/1.1 431 Request Header Fields Too Large"
    assert error["message"] == what


@pytest.mark.parametrize("end", [b"", b"\r\n"])
def test_a_head_of_many_headers(connection: socket.socket, end: bytes) -> None:
    connection.sendall(b"GET / HTTP/1.1\r\n" + b"a: b\r\n" * (protocol.MOST_FIELDS + 1) + b"c: d\r\n" + end)
    status, error = answer(connection)
    assert status == b"HTTP/1.1 431 Request Header Fields Too Large"
    assert error["message"] == "The request has more than 100 headers."


def test_a_head_of_as_many_headers_as_may_be() -> None:
    many = b"a: b\r\n" * (protocol.MOST_FIELDS - 1)
    app = asyncio.run(_asked(WHOLE[:-2] + many + b"\r\n"))
    assert len(app.headers[0]) == protocol.MOST_FIELDS


def test_many_heads_that_end(connection: socket.socket) -> None:
    request = b"GET /status/live HTTP/1.1\r\nhost: x\r\nx-long: " + b"a" * 3000 + b"\r\n"
    for number in range(2 * MAX_HEAD // 3000):
        connection.sendall(request)
        connection.sendall(b"x-number: %d\r\n\r\n" % number)
        response = HTTPResponse(connection)
        response.begin()
        assert response.read()
        assert response.status < 431


# ---- what does not come in time ------------------------------------------------------------------------


async def _hello(scope: Any, receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 204, "headers": []})
    await send({"type": "http.response.body", "body": b""})


async def _received(*parts: bytes, seconds: float, monkeypatch: pytest.MonkeyPatch) -> bytes:
    """All that comes after these parts, each sent after an answer to the one before, until we are closed."""
    monkeypatch.setattr(protocol, "HEAD_SECONDS", seconds)
    listener = listen("127.0.0.1", 0)
    async with serving(_hello, [listener]), asyncio.timeout(PATIENCE_SECONDS):
        reader, writer = await asyncio.open_connection(*listener.getsockname())
        received = b""
        for i, part in enumerate(parts):
            if i:
                received += await reader.readuntil(b"\r\n\r\n")
            writer.write(part)
        with contextlib.suppress(ConnectionResetError):
            received += await reader.read()
        writer.close()
        return received


WHOLE = b"GET / HTTP/1.1\r\nhost: x\r\n\r\n"
UPLOAD = b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 9\r\n\r\n"


@pytest.mark.parametrize(
    ("parts", "statuses"),
    [
        ([b""], []),
        ([b"\r\n"], []),
        ([b"GET /"], [b"408"]),
        ([b"GET / HTTP/1.1\r\nhost: x\r\n"], [b"408"]),
        ([WHOLE, b"\r\n"], [b"204"]),
        ([WHOLE, b"GET /"], [b"204", b"408"]),
        ([UPLOAD, b"a"], [b"204"]),
    ],
)
def test_a_head_that_does_not_come(
    parts: list[bytes], statuses: list[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    # what would end it otherwise
    monkeypatch.setattr(listeners, "KEEP_ALIVE_SECONDS", 1000)
    received = asyncio.run(_received(*parts, seconds=0.2, monkeypatch=monkeypatch))
    assert re.findall(rb"HTTP/1.1 ([0-9]+)", received) == statuses


def test_a_head_that_comes_late_but_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    async def work() -> None:
        monkeypatch.setattr(protocol, "HEAD_SECONDS", 0.2)
        listener = listen("127.0.0.1", 0)
        async with serving(_slow, [listener]), asyncio.timeout(PATIENCE_SECONDS):
            reader, writer = await asyncio.open_connection(*listener.getsockname())
            for part in (WHOLE[:9], WHOLE[9:]):
                writer.write(part)
                await writer.drain()
            # the answer takes longer than a head may
            assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 204")
            writer.close()

    async def _slow(scope: Any, receive: Any, send: Any) -> None:
        passed = asyncio.Event()
        asyncio.get_running_loop().call_later(2 * protocol.HEAD_SECONDS, passed.set)
        await passed.wait()
        await _hello(scope, receive, send)

    asyncio.run(work())


# ---- several requests at once --------------------------------------------------------------------------


class _Held:
    """An application whose first answer waits until it is let go, with what it was asked and who has gone."""

    def __init__(self) -> None:
        self.paths: list[str] = []
        self.asked, self.go, self.gone = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self.paths.append(scope["path"])
        if len(self.paths) == 1:
            self.asked.set()
            watching = asyncio.create_task(self._watch(receive))
            waiting = asyncio.create_task(self.go.wait())
            await asyncio.wait({watching, waiting}, return_when=asyncio.FIRST_COMPLETED)
            watching.cancel()
            waiting.cancel()
        await _hello(scope, receive, send)

    async def _watch(self, receive: Any) -> None:
        while (await receive())["type"] != "http.disconnect":
            pass
        self.gone.set()


@contextlib.asynccontextmanager
async def _held(*parts: bytes) -> AsyncIterator[tuple[_Held, asyncio.StreamReader, asyncio.StreamWriter]]:
    """A connection that has sent these parts, the later ones while the first request is being answered."""
    app, listener = _Held(), listen("127.0.0.1", 0)
    async with serving(app, [listener]), asyncio.timeout(PATIENCE_SECONDS):
        reader, writer = await asyncio.open_connection(*listener.getsockname())
        for part in parts:
            writer.write(part)
            await app.asked.wait()
        try:
            yield app, reader, writer
        finally:
            app.go.set()
            writer.close()


def _statuses(received: bytes) -> list[bytes]:
    return re.findall(rb"HTTP/1.1 ([0-9]+)", received)


def test_what_is_no_http_is_told_after_the_answers_before_it() -> None:
    async def work() -> None:
        async with _held(WHOLE + WHOLE, b"no http\r\n\r\n" + WHOLE) as (app, reader, _):
            app.go.set()
            assert _statuses(await reader.read()) == [b"204", b"204", b"400"]
            assert len(app.paths) == 2

    asyncio.run(work())


def test_many_requests_behind_half_a_head() -> None:
    """They are no part of the head that they follow."""

    async def work() -> None:
        count = 2 * MAX_HEAD // len(WHOLE)
        async with _held(WHOLE + WHOLE[:9], WHOLE[9:] + count * WHOLE) as (app, reader, _):
            app.go.set()
            received = b""
            while received.count(b"HTTP/1.1 204") < count + 2:
                part = await reader.read(65536)
                assert part, _statuses(received)[-1]
                received += part

    asyncio.run(work())


def test_a_large_body_behind_half_a_head() -> None:
    async def work() -> None:
        size = 2 * MAX_HEAD
        head = b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: %d\r\n\r\n" % size
        async with _held(WHOLE + head[:9], head[9:] + size * b"a") as (app, reader, _):
            app.go.set()
            received = b""
            while received.count(b"\r\n\r\n") < 2:
                part = await reader.read(65536)
                assert part, _statuses(received)
                received += part
            assert _statuses(received) == [b"204", b"204"]

    asyncio.run(work())


def test_few_requests_are_understood_before_their_turn() -> None:
    made = 0

    class Counted(Exchange):
        def __init__(self, **given: Any) -> None:
            nonlocal made
            made += 1
            super().__init__(**given)

    async def work() -> None:
        count = 20 * protocol.PIECE // len(WHOLE)
        async with _held(WHOLE, count * WHOLE) as (app, reader, writer):
            # whoever else is answered shows that what was sent before has been read
            await writer.drain()
            other, into = await asyncio.open_connection(*writer.get_extra_info("peername"))
            into.write(WHOLE)
            assert (await other.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 204")
            into.close()
            assert made <= 2 + protocol.MOST_PIPELINED + protocol.PIECE // len(WHOLE)
            app.go.set()
            received = b""
            while received.count(b"HTTP/1.1 204") < count + 1:
                received += await reader.readuntil(b"\r\n\r\n")
            assert len(app.paths) == count + 2

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(protocol, "Exchange", Counted)
        asyncio.run(work())


@pytest.mark.parametrize("parts", [(WHOLE + WHOLE,), (WHOLE, WHOLE), (WHOLE, WHOLE, WHOLE + UPLOAD)])
def test_a_client_that_goes_with_requests_behind_the_first(parts: tuple[bytes, ...]) -> None:
    """The first is told, and nothing is raised when it answers nevertheless."""

    async def work() -> None:
        async with _held(*parts) as (app, _, writer):
            await writer.drain()
            writer.transport.abort()
            await app.gone.wait()
        assert len(app.paths) == 1

    asyncio.run(work())


# ---- what comes with a body and is none ----------------------------------------------------------------

CHUNKED = b"POST / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n"


@pytest.mark.parametrize(
    ("begin", "more"),
    [
        (CHUNKED + b"2\r\n{}\r\n0\r\n", b"a: b\r\n" * 64),
        (CHUNKED + b"2\r\n{}\r\n0\r\na: ", b"a" * 1024),
        (CHUNKED + b"2\r\n{}\r\n0\r\n", b"a" * 1024),
        (CHUNKED + b"2;", b"a" * 1024),
        (CHUNKED + b"2\r\n{}\r\n0;a=", b"a" * 1024),
    ],
)
def test_framing_without_end(connection: socket.socket, begin: bytes, more: bytes) -> None:
    begin = begin.replace(b"POST /", b"PATCH /routing/queues/x")
    status, error = answer_to_what_has_no_end(connection, begin, more)
    assert status == b"HTTP/1.1 431 Request Header Fields Too Large"
    assert error["message"] == "More than 65536 bytes came that are no body: of chunk extensions or trailers."


class _Asked:
    """An application that remembers the headers of each request once its body has come, and the bodies."""

    def __init__(self) -> None:
        self.headers: list[list[tuple[bytes, bytes]]] = []
        self.bodies: list[bytes] = []

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        body = b""
        while True:
            message = await receive()
            body += message["body"]
            if not message["more_body"]:
                break
        self.headers.append(scope["headers"])
        self.bodies.append(body)
        await _hello(scope, receive, send)


async def _asked(*parts: bytes) -> _Asked:
    """What an application was asked by parts that end with the same bytes as a head, one after the other."""
    app, listener = _Asked(), listen("127.0.0.1", 0)
    async with serving(app, [listener]), asyncio.timeout(PATIENCE_SECONDS):
        reader, writer = await asyncio.open_connection(*listener.getsockname())
        for part in parts:
            writer.write(part)
            assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 204")
        writer.close()
    return app


def test_trailers_are_dropped() -> None:
    """They are no headers, neither of their request nor of the next one (RFC 9110, 6.5.1)."""
    trailers = b"authorization: forged\r\nif-none-match: *\r\n"
    app = asyncio.run(_asked(CHUNKED + b"2\r\n{}\r\n0\r\n" + trailers + b"\r\n", WHOLE))
    assert app.headers == [[(b"host", b"x"), (b"transfer-encoding", b"chunked")], [(b"host", b"x")]]
    assert app.bodies == [b"{}", b""]


def test_much_framing_around_a_body_that_goes_on() -> None:
    """It is bounded between bytes of the body alone: many small chunks are a body like others."""
    count = 2 * MAX_HEAD // 16
    app = asyncio.run(_asked(CHUNKED + b"1;extension=1\r\na\r\n" * count + b"0\r\n\r\n"))
    assert app.bodies == [b"a" * count]


def test_what_is_no_http_after_an_answer_has_begun() -> None:
    """A second answer in the middle of the first would be read as a part of it."""

    async def work() -> bytes:
        begun = asyncio.Event()

        async def app(scope: Any, receive: Any, send: Any) -> None:
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body", "body": b"a", "more_body": True})
            begun.set()
            while (await receive())["type"] != "http.disconnect":
                pass

        listener = listen("127.0.0.1", 0)
        async with serving(app, [listener]), asyncio.timeout(PATIENCE_SECONDS):
            reader, writer = await asyncio.open_connection(*listener.getsockname())
            writer.write(CHUNKED)
            received = await reader.readuntil(b"a\r\n")
            await begun.wait()
            writer.write(b"no chunk\r\n")
            with contextlib.suppress(ConnectionResetError):
                received += await reader.read()
            writer.close()
        return received

    assert _statuses(asyncio.run(work())) == [b"200"]


@pytest.mark.parametrize("framing", [b"content-length: 5\r\n\r\n", b"transfer-encoding: chunked\r\n\r\n"])
def test_a_body_is_not_the_next_request_after_an_upgrade(connection: socket.socket, framing: bytes) -> None:
    connection.sendall(b"PATCH / HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: h2c\r\n" + framing)
    status, error = answer(connection)
    assert status == b"HTTP/1.1 400 Bad Request"
    assert "Upgrade" in error["message"]


def test_an_upgrade_without_a_body_is_answered_and_closed(connection: socket.socket) -> None:
    upgrade = b"host: x\r\nconnection: upgrade\r\nupgrade: websocket\r\ncontent-length: 0\r\n\r\n"
    connection.sendall(b"GET /health/live HTTP/1.1\r\n" + upgrade)
    received = b""
    while part := connection.recv(65536):
        received += part
    assert received.count(b"HTTP/1.1 ") == 1
    assert b"connection: close" in received.lower()
