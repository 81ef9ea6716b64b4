"""An HTTP server in a thread of its own: what functions, webhooks and token servers are made of."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Iterator

from tests.outgoing.endpoint import By, Endpoint, Reply, endpoint
from tests.support import PATIENCE_SECONDS


@contextlib.contextmanager
def answering(*replies: Reply, by: By | None = None) -> Iterator[Endpoint]:
    """A server on loopback that answers with these replies, the last for ever; or by a function."""
    ready = threading.Event()
    made: list[tuple[Endpoint, asyncio.AbstractEventLoop, asyncio.Event]] = []

    async def main() -> None:
        async with endpoint(*replies, by=by) as it:
            end = asyncio.Event()
            made.append((it, asyncio.get_running_loop(), end))
            ready.set()
            await end.wait()

    thread = threading.Thread(target=lambda: asyncio.run(main()), daemon=True)
    thread.start()
    assert ready.wait(PATIENCE_SECONDS)
    it, loop, end = made[0]
    try:
        yield it
    finally:
        loop.call_soon_threadsafe(end.set)
        thread.join(PATIENCE_SECONDS)
