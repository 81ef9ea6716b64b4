"""Answers in one piece, as they go over the wire: as those that are sent by messages."""

from __future__ import annotations

import asyncio
import contextlib
import re
import socket
from base64 import b64decode
from collections.abc import Iterator
from http.client import HTTPResponse
from urllib.parse import urlsplit

import pytest

from api.serving import listeners
from api.serving.exchange import EXCHANGE, Exchange
from api.serving.listeners import listen, serving
from tests.signed import PREVIEW, sign
from tests.support import PATIENCE_SECONDS, Served

Wire = tuple[socket.socket, Served]


@pytest.fixture
def wire(served: Served) -> Iterator[Wire]:
    """A plain connection to the router."""
    place = urlsplit(served.url)
    with socket.create_connection((place.hostname, place.port), timeout=PATIENCE_SECONDS) as it:
        yield it, served


def packed(
    served: Served, method: str, path: str, body: bytes = b"", version: str = "1.1", **more: str
) -> bytes:
    """A signed request."""
    target, host = f"{path}?api-version={PREVIEW}", urlsplit(served.url).netloc
    headers = sign(method, target, body, host=host, key=b64decode(served.key))
    headers |= {"content-length": str(len(body))} if body else {}
    headers |= {name.replace("_", "-"): value for name, value in more.items()}
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    return f"{method} {target} HTTP/{version}\r\n{lines}\r\n".encode() + body


def answer(connection: socket.socket, method: str) -> tuple[HTTPResponse, bytes]:
    """The next answer, to a request of this method."""
    response = HTTPResponse(connection, method=method)
    response.begin()
    return response, response.read()


POLICY = "/routing/distributionPolicies/exchange"
DOCUMENT = b'{"offerExpiresAfterSeconds":60,"mode":{"kind":"longestIdle"}}'


def test_an_answer_has_all_its_headers(wire: Wire) -> None:
    connection, served = wire
    echoed = {"x_ms_client_request_id": "mine", "x_ms_return_client_request_id": "true"}
    connection.sendall(packed(served, "PATCH", POLICY, DOCUMENT, **echoed))
    response, body = answer(connection, "PATCH")
    assert response.status in (200, 201)
    assert response.getheader("content-type") == "application/json; charset=utf-8"
    assert response.getheader("api-supported-versions") == f"2023-11-01, {PREVIEW}"
    assert response.getheader("x-ms-client-request-id") == "mine"
    assert re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", response.getheader("trace-id", ""))
    assert all(response.getheader(name) for name in ("date", "etag", "last-modified"))
    assert int(response.getheader("content-length", "0")) == len(body) > 0


def test_requests_that_come_together_are_answered_in_order(wire: Wire) -> None:
    connection, served = wire
    reads = packed(served, "GET", "/routing/jobs/nobody"), packed(served, "GET", POLICY)
    connection.sendall(packed(served, "PATCH", POLICY, DOCUMENT) + b"".join(reads))
    received = b""
    while received.count(b"HTTP/1.1 ") < 3 or not received.endswith(b"}"):
        received += connection.recv(65536)
    assert re.findall(rb"HTTP/1.1 (\d+)", received)[1:] == [b"404", b"200"]


def test_a_body_in_parts_is_read_to_its_end(wire: Wire) -> None:
    connection, served = wire
    whole = packed(served, "PATCH", POLICY, DOCUMENT, expect="100-continue")
    head, _, body = whole.partition(b"\r\n\r\n")
    connection.sendall(head + b"\r\n\r\n")
    # it is being read now
    assert connection.recv(100).startswith(b"HTTP/1.1 100 Continue")
    for byte in body:
        connection.sendall(bytes([byte]))
    assert answer(connection, "PATCH")[0].status in (200, 201)


def test_a_deletion_has_no_body(wire: Wire) -> None:
    connection, served = wire
    for _ in range(2):
        connection.sendall(packed(served, "DELETE", "/routing/distributionPolicies/nobody"))
        response, body = answer(connection, "DELETE")
        assert (response.status, body, response.getheader("content-length")) == (204, b"", None)


@pytest.mark.parametrize(("version", "more"), [("1.0", {}), ("1.1", {"connection": "close"})])
def test_the_last_answer_ends_the_connection(wire: Wire, version: str, more: dict[str, str]) -> None:
    connection, served = wire
    connection.sendall(packed(served, "PATCH", POLICY, DOCUMENT, version, **more))
    response, _ = answer(connection, "PATCH")
    assert response.getheader("connection") == "close"
    assert connection.recv(1) == b""


def test_a_header_that_is_none_is_not_sent() -> None:
    """Values come from handlers, and so from users at times."""

    async def work() -> bytes:
        async def app(scope, receive, send) -> None:  # type: ignore[no-untyped-def]
            exchange: Exchange = scope["extensions"][EXCHANGE]
            assert not exchange.answer(200, b"", [(b"x-made", b"a\r\nx-forged: 1")], b"")
            assert exchange.answer(204, b"", [(b"x-made", b"a")], b"")
            assert not exchange.answer(200, b"", [], b"")

        return await _said(app)

    assert re.findall(rb"x-\w+", asyncio.run(work())) == [b"x-made"]


def test_a_connection_without_requests_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listeners, "KEEP_ALIVE_SECONDS", 0.2)

    async def app(scope, receive, send) -> None:  # type: ignore[no-untyped-def]
        scope["extensions"][EXCHANGE].answer(204, b"", [], b"")

    # the second one moves the end, which comes without one
    assert asyncio.run(_said(app, requests=2)).count(b"HTTP/1.1 204") == 2


async def _said(app, requests: int = 1) -> bytes:  # type: ignore[no-untyped-def]
    """All that comes until the connection is closed; it is asked to be so after the only request."""
    listener = listen("127.0.0.1", 0)
    async with serving(app, [listener]), asyncio.timeout(PATIENCE_SECONDS):
        reader, writer = await asyncio.open_connection(*listener.getsockname())
        received = b""
        for number in range(requests):
            if number:
                received += await reader.readuntil(b"\r\n\r\n")
            last = b"connection: close\r\n" if requests == 1 else b""
            writer.write(b"GET / HTTP/1.1\r\nhost: x\r\n" + last + b"\r\n")
        with contextlib.suppress(ConnectionResetError):
            received += await reader.read()
        writer.close()
        return received
