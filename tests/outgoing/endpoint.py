"""A small HTTP server for tests: what it answers is written out, byte for byte if need be."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from typing import Any, NamedTuple

import pytest
import uvloop

from engine.outgoing.client import Client, Limits
from engine.outgoing.guard import Allowed

LOOPBACK = Allowed.parse(["127.0.0.0/8", "::1"])


class Request(NamedTuple):
    """What was received; names of headers in lower case."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


Reply = bytes | Callable[[asyncio.StreamWriter], Awaitable[None]]
By = Callable[[Request], Reply]


class Endpoint:
    """Answers each request with the next of its replies, the last for ever; or by a function of it."""

    def __init__(self, *replies: Reply, by: By | None = None) -> None:
        self.requests: list[Request] = []
        self.connections = 0
        self.port = 0
        self._replies = list(replies)
        self._by = by

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            while True:
                request = await _request(reader)
                self.requests.append(request)
                reply = self._by(request) if self._by else self._next()
                if isinstance(reply, bytes):
                    writer.write(reply)
                    await writer.drain()
                else:
                    await reply(writer)

    def _next(self) -> Reply:
        return self._replies.pop(0) if len(self._replies) > 1 else self._replies[0]


async def _request(reader: asyncio.StreamReader) -> Request:
    head = (await reader.readuntil(b"\r\n\r\n")).decode()
    first, *lines = head.split("\r\n")
    method, path, _ = first.split(" ")
    pairs = (line.partition(": ") for line in lines if line)
    headers = {name.lower(): value for name, _, value in pairs}
    return Request(method, path, headers, await reader.readexactly(int(headers.get("content-length", "0"))))


@contextlib.asynccontextmanager
async def endpoint(
    *replies: Reply, tls: ssl.SSLContext | None = None, by: By | None = None
) -> AsyncIterator[Endpoint]:
    """A server on loopback that answers with these replies, or by a function of the request."""
    it = Endpoint(*replies, by=by)
    served: set[asyncio.Task[None]] = set()
    connections: set[asyncio.Task[Any]] = set()

    def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        # known at once: also one that was accepted while the server ends is closed
        serving = asyncio.create_task(it.serve(reader, writer))
        served.add(serving)
        connections.add(asyncio.create_task(ended(serving, writer)))

    async def ended(serving: asyncio.Task[None], writer: asyncio.StreamWriter) -> None:
        await asyncio.wait([serving])
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()

    server = await asyncio.start_server(connected, "127.0.0.1", 0, ssl=tls)
    it.port = server.sockets[0].getsockname()[1]
    try:
        yield it
    finally:
        server.close()
        for task in served:
            task.cancel()
        await asyncio.gather(*served, *connections, return_exceptions=True)


def status(code: int, *headers: str, body: bytes = b"") -> bytes:
    """A whole answer."""
    lines = [f"HTTP/1.1 {code} Said", f"Content-Length: {len(body)}", *headers]
    return "\r\n".join([*lines, "", ""]).encode() + body


def ok(body: bytes | Any) -> bytes:
    """An answer with status 200; what is not bytes is sent as JSON."""
    return status(200, body=body if isinstance(body, bytes) else json.dumps(body).encode())


async def silence(writer: asyncio.StreamWriter) -> None:
    """Never answers."""
    await asyncio.get_running_loop().create_future()


async def hang_up(writer: asyncio.StreamWriter) -> None:
    """Closes the connection instead of answering."""
    writer.close()
    await writer.wait_closed()
    raise ConnectionError


@contextlib.asynccontextmanager
async def client(
    allowed: Allowed = LOOPBACK, tls: ssl.SSLContext | None = None, **limits: Any
) -> AsyncIterator[Client]:
    """A client that may call loopback."""
    async with Client(allowed, Limits(**limits), tls=tls) as it:
        yield it


def resolves(monkeypatch: pytest.MonkeyPatch, address: Callable[[str], str]) -> None:
    """Gives hosts these addresses, as a name server of an attacker could."""

    def getaddrinfo(host: str, port: int, **more: Any) -> list[Any]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 0, "", (address(host), port))]

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)


def run(work: Coroutine[Any, Any, None]) -> None:
    """Runs a test on the loop that the worker has."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(work)
