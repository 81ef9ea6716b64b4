"""A served router under measurement, and the barest clients of it: what they cost must not count."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import hmac
import os
import re
import socket
import subprocess
import sys
from base64 import b64encode
from collections.abc import Iterator, Sequence
from email.utils import formatdate
from pathlib import Path

KEY = b"bench-key-of-thirty-two-bytes-00"
VIEW_KEY = "viewing-key-of-the-bench"
RECEIVE_BYTES = 1 << 18
PATIENCE_SECONDS = 60.0

_ROOT = Path(__file__).parents[1]


@contextlib.contextmanager
def served(url: str) -> Iterator[int]:
    """``jobrouter api`` beside a store, as a process of its own; yields its port."""
    command = [sys.executable, "-m", "api.cli", "api", "--port", "0", "--redis-url", url]
    with started(command) as (port, _):
        yield port


@contextlib.contextmanager
def started(command: Sequence[str], cpu: int | None = None) -> Iterator[tuple[int, subprocess.Popen[str]]]:
    """A process that prints its address and then that it is ready, on one processor if asked, with our keys.

    Yields its port and itself.
    """
    keys = {"ACCESS_KEYS": f"main={b64encode(KEY).decode()}", "VIEW_KEYS": f"main={VIEW_KEY}"}
    environment = {**os.environ, **{f"JOBROUTER_{name}": value for name, value in keys.items()}}
    process = subprocess.Popen(
        command,
        cwd=_ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
        preexec_fn=None if cpu is None else functools.partial(os.sched_setaffinity, 0, {cpu}),
    )
    try:
        assert process.stdout
        port = 0
        for line in process.stdout:
            if found := re.search(r"http://[\w.]+:(\d+)/", line):
                port = int(found[1])
            if line.startswith("ready"):
                break
        yield port, process
    finally:
        process.kill()
        process.wait()
        assert process.stdout
        process.stdout.close()


def signed(method: str, target: str, host: str, body: bytes = b"", key: bytes = KEY) -> dict[str, str]:
    """The headers that an official client would add."""
    date = formatdate(usegmt=True)
    content_hash = b64encode(hashlib.sha256(body).digest()).decode()
    text = f"{method}\n{target}\n{date};{host};{content_hash}".encode()
    signature = b64encode(hmac.digest(key, text, "sha256")).decode()
    scheme = "HMAC-SHA256 SignedHeaders=x-ms-date;host;x-ms-content-sha256"
    return {
        "host": host,
        "x-ms-date": date,
        "x-ms-content-sha256": content_hash,
        "authorization": f"{scheme}&Signature={signature}",
        "content-type": "application/merge-patch+json",
    }


def packed(method: str, target: str, host: str, body: bytes = b"", key: bytes = KEY) -> bytes:
    """A signed request, as it goes over the wire."""
    headers = signed(method, target, host, body, key).items()
    head = "".join(f"{name}: {value}\r\n" for name, value in headers)
    return f"{method} {target} HTTP/1.1\r\n{head}content-length: {len(body)}\r\n\r\n".encode() + body


def request(method: str, target: str, port: int, body: bytes = b"") -> bytes:
    """A signed request to a port of this machine, as it goes over the wire."""
    return packed(method, target, f"localhost:{port}", body)


class Connection:
    """A connection that keeps the end of what it has received; ``take`` reads on until a mark is there."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE_SECONDS)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._rest = b""

    def send(self, packed: bytes) -> None:
        """Sends a request."""
        self.socket.sendall(packed)

    def take(self, mark: bytes) -> None:
        """Reads up to a mark and forgets it."""
        while not self.has(mark):
            self.receive(RECEIVE_BYTES)

    def receive(self, keep: int) -> None:
        """Reads what is there, and keeps so many bytes of what came last."""
        data = self.socket.recv(RECEIVE_BYTES)
        if not data:
            raise RuntimeError(f"the server closed the connection: {self._rest[-500:]!r}")
        self._rest = (self._rest + data)[-keep:]

    def has(self, mark: bytes) -> bool:
        """Whether the mark has come; what stands before it is forgotten."""
        found = self._rest.find(mark)
        if found < 0:
            return False
        self._rest = self._rest[found + len(mark) :]
        return True

    def close(self) -> None:
        """Closes it."""
        self.socket.close()


def stream(port: int, query: str = "") -> Connection:
    """An open stream of events."""
    it = Connection(port)
    it.send(request("GET", f"/ext/v1/events/stream?{query}" if query else "/ext/v1/events/stream", port))
    it.take(b"retry: ")
    it.take(b"\n\n")
    return it
