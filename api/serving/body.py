"""The body of a request, with a bound for its size and for the time in which it comes."""

from __future__ import annotations

import asyncio

from starlette.types import Receive

from api.errors import TooLarge, TooSlow
from api.streaming import Disconnected

BODY_SECONDS = 30.0
"""How long a body may take to arrive: one that never ends must not hold its connection for ever."""


async def read_body(receive: Receive, most: int) -> bytes:
    """The whole body, of at most so many bytes. Raises TooLarge, TooSlow or Disconnected."""
    try:
        async with asyncio.timeout(BODY_SECONDS):
            return await _parts(receive, most)
    except TimeoutError:
        raise TooSlow(f"The body did not come within {BODY_SECONDS:g} seconds.") from None


def too_large(most: int) -> TooLarge:
    """The refusal of a body of more bytes."""
    return TooLarge(f"The body is larger than {most} bytes.")


async def _parts(receive: Receive, most: int) -> bytes:
    parts: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise Disconnected
        part: bytes = message.get("body", b"")
        size += len(part)
        if size > most:
            raise too_large(most)
        if not message.get("more_body", False):
            return b"".join([*parts, part]) if parts else part
        parts.append(part)
