"""An endpoint of subscriptions on loopback: writes down what it gets, and answers as it is told to."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

from aiohttp import web

Answer = Callable[[dict[str, Any], int], Awaitable[web.StreamResponse] | web.StreamResponse]
"""What is answered to an event that comes for the n-th time (from 1)."""


def ok(event: dict[str, Any], time: int) -> web.StreamResponse:
    return web.Response()


def refuses(status: int) -> Answer:
    """Answers with a status to everything."""
    return lambda event, time: web.Response(status=status)


def after(times: int, status: int = 500) -> Answer:
    """Takes an event when it comes for this time; answers with a status before."""
    return lambda event, time: web.Response(status=200 if time >= times else status)


async def silence(event: dict[str, Any], time: int) -> web.StreamResponse:
    """Never answers."""
    await asyncio.get_running_loop().create_future()
    raise AssertionError


class Receiver:
    """``events`` are all that came, in order; ``taken`` those that it answered 2xx to."""

    def __init__(self, answer: Answer = ok) -> None:
        self.answer = answer
        self.events: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []
        self.taken: list[dict[str, Any]] = []
        self.under_way = 0
        self.most_under_way = 0
        self.url = ""
        self._times: dict[str, int] = defaultdict(int)
        self._changed = asyncio.Event()

    def ids(self) -> list[str]:
        return [event["id"] for event in self.taken]

    def kinds(self, job: str = "") -> list[str]:
        """The types of what was taken, of one job if it is named, without prefix."""
        return [
            event["eventType"].rpartition(".")[2]
            for event in self.taken
            if not job or event["data"].get("jobId") == job
        ]

    async def until(self, look: Callable[[], Any], seconds: float = 15.0) -> None:
        """Waits for a look to be true; looks again whenever something has come."""
        async with asyncio.timeout(seconds):
            while not look():
                self._changed.clear()
                await self._changed.wait()

    async def handle(self, request: web.Request) -> web.StreamResponse:
        (event,) = json.loads(await request.read())
        self.events.append(event)
        self.headers.append({name.lower(): value for name, value in request.headers.items()})
        self._times[event["id"]] += 1
        self.under_way += 1
        self.most_under_way = max(self.most_under_way, self.under_way)
        self._changed.set()
        try:
            answer = self.answer(event, self._times[event["id"]])
            response = answer if isinstance(answer, web.StreamResponse) else await answer
        finally:
            self.under_way -= 1
        if 200 <= response.status < 300:
            self.taken.append(event)
            self._changed.set()
        return response


@contextlib.asynccontextmanager
async def receiver(answer: Answer = ok) -> AsyncIterator[Receiver]:
    """A receiver that listens."""
    it = Receiver(answer)
    app = web.Application(client_max_size=2**24)
    app.router.add_post("/{rest:.*}", it.handle)
    runner = web.AppRunner(app, shutdown_timeout=0.1, handler_cancellation=True)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    assert site._server is not None
    port = site._server.sockets[0].getsockname()[1]  # type: ignore[attr-defined]
    it.url = f"http://127.0.0.1:{port}/hook?code=s3cret"
    try:
        yield it
    finally:
        await runner.cleanup()
