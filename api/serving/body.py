"""The body of a request, with bounds for its size, for the time it takes, and for all that are coming."""

from __future__ import annotations

import asyncio

from starlette.types import Receive

from api.errors import Overloaded, TooLarge, TooSlow
from api.streaming import Disconnected

BODY_SECONDS = 30.0
"""How long a body may take to arrive: one that never ends must not hold its connection for ever."""

COMING_BYTES = 64 * 1024 * 1024
"""What may have come, in the whole process, of bodies that are not whole: many slow ones must not fill it."""


class _Coming:
    """What has come of all bodies that are not whole."""

    size = 0


async def read_body(receive: Receive, most: int) -> bytes:
    """The whole body, of at most so many bytes. Raises TooLarge, TooSlow, Overloaded or Disconnected."""
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
    size = held = 0
    try:
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
            if _Coming.size + len(part) > COMING_BYTES:
                raise Overloaded(
                    "Too many bodies are coming at once, and slowly; send this one again in a moment."
                )
            _Coming.size += len(part)
            held += len(part)
            parts.append(part)
    finally:
        _Coming.size -= held
