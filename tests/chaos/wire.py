"""A signing client for asyncio that shows status, headers and body; it repeats nothing by itself."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from typing import Any, NamedTuple

from tests.signed import PREVIEW, sign

LOST = (OSError, EOFError)
"""What a request ends with whose answer does not come."""

_END = b"\r\n\r\n"


class Answer(NamedTuple):
    """One answer; names of headers in lower case."""

    status: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        """The body, read."""
        return json.loads(self.body or b"null")


class Wire:
    """A connection to a port of this machine: one request at a time, opened anew after it was lost."""

    def __init__(self, port: int, key: bytes) -> None:
        self._port = port
        self._key = key
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def ask(self, method: str, path: str, body: Any = None, request_id: str = "") -> Answer:
        """The answer to a request. Raises one of LOST when there is none."""
        raw = b"" if body is None else json.dumps(body).encode()
        target = f"{path}{'&' if '?' in path else '?'}api-version={PREVIEW}"
        headers = sign(method, target, raw, host=f"127.0.0.1:{self._port}", key=self._key)
        if request_id:
            headers["x-ms-client-request-id"] = request_id
        head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        if self._streams is None:
            self._streams = await asyncio.open_connection("127.0.0.1", self._port)
        reader, writer = self._streams
        try:
            writer.write(
                f"{method} {target} HTTP/1.1\r\n{head}content-length: {len(raw)}\r\n\r\n".encode() + raw
            )
            return await self._answer(reader)
        except BaseException:
            self.close()
            raise

    async def _answer(self, reader: asyncio.StreamReader) -> Answer:
        first, *lines = (await reader.readuntil(_END)).decode("latin-1").split("\r\n")
        pairs = (line.partition(":") for line in lines if line)
        headers = {name.lower(): value.strip() for name, _, value in pairs}
        body = await reader.readexactly(int(headers.get("content-length", "0")))
        if headers.get("connection", "").lower() == "close":
            self.close()
        return Answer(int(first.split(" ")[1]), headers, body)

    def close(self) -> None:
        """Closes it; what is under way is lost."""
        if self._streams is not None:
            self._streams[1].close()
            self._streams = None

    async def closed(self) -> None:
        """Closes it, and waits until that is done."""
        if self._streams is not None:
            writer = self._streams[1]
            self.close()
            with contextlib.suppress(*LOST):
                await writer.wait_closed()


class Wires:
    """As many connections to one port as are wanted at a time, within ``async with``."""

    def __init__(self, port: int, key: bytes) -> None:
        self._port = port
        self._key = key
        self._free: list[Wire] = []

    @contextlib.asynccontextmanager
    async def one(self) -> AsyncIterator[Wire]:
        """A free connection, for the block."""
        wire = self._free.pop() if self._free else Wire(self._port, self._key)
        try:
            yield wire
        finally:
            self._free.append(wire)

    async def __aenter__(self) -> Wires:
        return self

    async def __aexit__(self, *_: object) -> None:
        for wire in self._free:
            await wire.closed()
