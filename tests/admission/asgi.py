"""Requests of an application, several at a time on one event loop; its store answers when it is told to."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from engine.commands import AllowanceLease, Command
from engine.settings import Rate
from tests.api.conftest import GA, NOW, healthy, make_app, make_settings, sign
from tests.support import PATIENCE_SECONDS


def run(work: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Runs a test; it fails when it takes too long."""

    async def bounded() -> None:
        async with asyncio.timeout(PATIENCE_SECONDS):
            await work()

    asyncio.run(bounded())


KEYS = {"localhost": None, "router.example.com": b"other-key"}
"""Hosts of the routers 'main' and 'other', with the keys that are not the usual one."""


class Stalled:
    """A store that answers nobody, until it is told to; ``fails``: what it raises at once instead.

    ``bucket``: how many requests may still come.
    """

    def __init__(self) -> None:
        self.asked = 0
        self.fails: Exception | None = None
        self.bucket = 0
        self.goes_on = asyncio.Event()

    async def run(self, root: str, command: Command) -> Any:
        if isinstance(command, AllowanceLease):
            granted = min(command.wanted, self.bucket)
            self.bucket -= granted
            return {"granted": granted, "wait_ms": 30_000}
        self.asked += 1
        if self.fails:
            raise self.fails
        await self.goes_on.wait()
        return {"id": "x", "doc": "1", "rev": "3", "created": "7", "modified_at": "1", "distribution": "p"}


@dataclass
class Answer:
    """Status, headers and JSON; ``read``: whether the body of the request was read."""

    status: int
    headers: dict[str, str]
    json: Any
    read: bool


class Site:
    """An application over a stalled store; ``rate`` is that of the router 'main'."""

    def __init__(self, metrics: Any = None, rate: Rate | None = None, **settings: Any) -> None:
        self.store = Stalled()
        self.settings = make_settings(**settings)
        if rate is not None:
            main = msgspec.structs.replace(self.settings.tenants["main"], rate=rate)
            self.settings.tenants["main"] = main
        self._app = make_app(self.store, self.settings, healthy, clock=lambda: NOW, metrics=metrics)
        self._tasks: list[asyncio.Task[Answer]] = []

    async def ask(
        self,
        method: str = "GET",
        path: str = "/routing/queues/x",
        host: str = "localhost",
        chunks: Sequence[bytes] = (),
        **more: str,
    ) -> Answer:
        """One request, signed unless ``more`` has headers of its own; its body comes in chunks."""
        chunks = chunks or [b"{}" if method == "PATCH" else b""]
        body = b"".join(chunks)
        target = f"{path}?api-version={GA}"
        key = KEYS[host]
        headers = more or sign(method, target, body, host=host, **({"key": key} if key else {}))
        sent: list[Any] = []
        incoming = [{"type": "http.request", "body": chunk, "more_body": True} for chunk in chunks]
        incoming[-1]["more_body"] = False

        async def receive() -> Any:
            if not incoming:
                await asyncio.Event().wait()
            return incoming.pop(0)

        async def send(message: Any) -> None:
            sent.append(message)

        scope = {
            "type": "http",
            "method": method,
            "scheme": "http",
            "path": path,
            "raw_path": path.encode(),
            "query_string": target.partition("?")[2].encode(),
            "headers": [(name.encode(), value.encode()) for name, value in {"host": host, **headers}.items()],
            "client": ("10.1.2.3", 1),
        }
        await self._app(scope, receive, send)
        answered = {name.decode(): value.decode() for name, value in sent[0]["headers"]}
        whole = b"".join(message["body"] for message in sent[1:])
        return Answer(sent[0]["status"], answered, json.loads(whole or b"null"), not incoming)

    async def begin(self, number: int, **more: str) -> list[asyncio.Task[Answer]]:
        """So many requests that have reached the store."""
        wanted = self.store.asked + number
        tasks = [asyncio.create_task(self.ask(**more)) for _ in range(number)]
        while self.store.asked < wanted:
            await asyncio.sleep(0)
            for task in tasks:
                assert not task.done(), task.result()
        self._tasks += tasks
        return tasks

    async def end(self) -> list[int]:
        """The store goes on: the statuses of all that waited for it."""
        self.store.goes_on.set()
        return [answer.status for answer in await asyncio.gather(*self._tasks)]
