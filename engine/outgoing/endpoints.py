"""Calls to one host and port share few places, so that a dead one delays only its own calls."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

from engine.outgoing.errors import EndpointBusy


class _Line:
    """Those who are served and those who wait, at one endpoint."""

    def __init__(self, places: int) -> None:
        self.free = asyncio.Semaphore(places)
        self.length = 0


class Endpoints:
    """At most ``places`` calls at a time to an endpoint; ``waiting`` in line, ``wait_seconds`` at most."""

    def __init__(self, places: int, waiting: int, wait_seconds: float) -> None:
        self._places = places
        self._longest = places + waiting
        self._wait_seconds = wait_seconds
        self._lines: dict[str, _Line] = {}

    @contextlib.asynccontextmanager
    async def place(self, endpoint: str) -> AsyncIterator[None]:
        """One place at an endpoint, in the order of asking. Raises EndpointBusy."""
        line = self._lines.setdefault(endpoint, _Line(self._places))
        if line.length >= self._longest:
            raise EndpointBusy(f"{endpoint}: {line.length} calls are under way or waiting")
        line.length += 1
        try:
            await self._wait(line, endpoint)
            try:
                yield
            finally:
                line.free.release()
        finally:
            line.length -= 1
            if not line.length:
                del self._lines[endpoint]

    async def _wait(self, line: _Line, endpoint: str) -> None:
        try:
            async with asyncio.timeout(self._wait_seconds):
                await line.free.acquire()
        except TimeoutError:
            raise EndpointBusy(f"{endpoint}: no place within {self._wait_seconds:g} s") from None
