"""Looks up names of hosts in threads of its own.

The event loop has few threads for that (uvloop four), and shares them with the connections to the store:
a name server that does not answer would hold them all for as long as the system tries.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
from typing import Any

from aiohttp.abc import AbstractResolver, ResolveResult

_THREADS = 64
_NUMERIC = socket.AI_NUMERICHOST | socket.AI_NUMERICSERV


class Names(AbstractResolver):
    """The system's resolver; to be made inside a running loop. Threads in mid-call do not hold up an exit."""

    def __init__(self, threads: int = _THREADS) -> None:
        self._places = asyncio.Semaphore(threads)

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """The addresses of a host. Raises OSError, or UnicodeError for what can be no name."""
        await self._places.acquire()
        loop = asyncio.get_running_loop()
        found: asyncio.Future[list[Any]] = loop.create_future()

        def settle(infos: list[Any], error: Exception | None) -> None:
            self._places.release()
            if found.done():
                return  # nobody waits any more
            if error:
                found.set_exception(error)
            else:
                found.set_result(infos)

        def look_up() -> None:
            infos: list[Any] = []
            failure = None
            try:
                infos = socket.getaddrinfo(
                    host, port, family=family, type=socket.SOCK_STREAM, flags=socket.AI_ADDRCONFIG
                )
            except (OSError, UnicodeError) as error:
                failure = error
            with contextlib.suppress(RuntimeError):  # the loop has ended
                loop.call_soon_threadsafe(settle, infos, failure)

        try:
            threading.Thread(target=look_up, name="names", daemon=True).start()
        except RuntimeError as error:
            # the system has no more of them now
            self._places.release()
            raise OSError(str(error)) from error
        return [_result(host, port, info) for info in await found]

    async def close(self) -> None:
        """Nothing is kept."""


def _result(host: str, port: int, info: tuple[Any, ...]) -> ResolveResult:
    family, _, protocol, _, address = info
    return ResolveResult(
        hostname=host, host=address[0], port=port, family=family, proto=protocol, flags=_NUMERIC
    )
