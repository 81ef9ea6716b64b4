"""The barest HTTP client for asyncio: one request at a time on a connection, answers with a length."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from urllib.parse import urlsplit

from bench.http import packed
from bench.load.calls import Call

_END = b"\r\n\r\n"


class Wire:
    """A connection to one address, opened with the first request and again after it was lost."""

    def __init__(self, target: str, key: bytes) -> None:
        self._host = urlsplit(target).netloc
        self._key = key
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def ask(self, call: Call) -> tuple[int, bytes]:
        """Status and body of the answer. Raises OSError and EOFError when there is none."""
        if self._streams is None:
            host, _, port = self._host.rpartition(":")
            self._streams = await asyncio.open_connection(host, int(port))
        reader, writer = self._streams
        try:
            writer.write(packed(call.method, call.target, self._host, call.body, self._key))
            head = await reader.readuntil(_END)
            body = await reader.readexactly(_length(head))
        except BaseException:
            self.close()
            raise
        if b"connection: close" in head.lower():
            self.close()
        return int(head[9:12]), body

    def close(self) -> None:
        """Closes it; what is under way is lost."""
        if self._streams is not None:
            self._streams[1].close()
            self._streams = None


def _length(head: bytes) -> int:
    _, found, rest = head.lower().partition(b"\r\ncontent-length:")
    return int(rest.partition(b"\r\n")[0]) if found else 0


class Pool:
    """So many connections, over all addresses in turn; who finds none free waits for one."""

    def __init__(self, targets: Sequence[str], key: bytes, size: int) -> None:
        self._wires = [Wire(targets[number % len(targets)], key) for number in range(size)]
        self._free = asyncio.LifoQueue[Wire]()
        for wire in self._wires:
            self._free.put_nowait(wire)

    @contextlib.asynccontextmanager
    async def one(self) -> AsyncIterator[Wire]:
        """A free connection, for the block."""
        wire = await self._free.get()
        try:
            yield wire
        finally:
            self._free.put_nowait(wire)

    def close(self) -> None:
        """Closes all."""
        for wire in self._wires:
            wire.close()
