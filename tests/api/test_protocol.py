"""What is refused below the application: what is no http, and heads without end."""

from __future__ import annotations

import contextlib
import json
import select
import socket
from collections.abc import Iterator
from http.client import HTTPResponse
from typing import Any
from urllib.parse import urlsplit

import pytest

from api.serving.protocol import MAX_HEAD
from tests.support import Served


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


@pytest.mark.parametrize("sent", [b"\x16\x03\x01", b"GET\r\n\r\n", b"GET / HTTP/1.1\r\nno colon\r\n\r\n"])
def test_no_http(connection: socket.socket, sent: bytes) -> None:
    connection.sendall(sent)
    status, error = answer(connection)
    assert status == b"HTTP/1.1 400 Bad Request"
    assert error["code"] == "BadRequest"


@pytest.mark.parametrize(
    ("begin", "more"),
    [
        (b"GET / HTTP/1.1\r\nx-long: ", b"a" * 1024),
        (b"GET / HTTP/1.1\r\n", b"x-another: 1\r\n" * 64),
        (b"GET /", b"a" * 1024),
    ],
)
def test_a_head_without_end(connection: socket.socket, begin: bytes, more: bytes) -> None:
    connection.sendall(begin)
    with contextlib.suppress(ConnectionError):
        for _ in range(16 * MAX_HEAD // 1024):
            connection.sendall(more)
            if select.select([connection], [], [], 0)[0]:
                break
    status, error = answer(connection)
    assert status == b"HTTP/1.1 431 Request Header Fields Too Large"
    assert error["message"] == "The request's head has more than 65536 bytes."


def test_many_heads_that_end(connection: socket.socket) -> None:
    request = b"GET /status/live HTTP/1.1\r\nhost: x\r\nx-long: " + b"a" * 3000 + b"\r\n"
    for number in range(2 * MAX_HEAD // 3000):
        connection.sendall(request)
        connection.sendall(b"x-number: %d\r\n\r\n" % number)
        response = HTTPResponse(connection)
        response.begin()
        assert response.read()
        assert response.status < 431
