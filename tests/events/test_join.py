"""Where old events meet live ones: whatever happens between two looks at the log, each comes once."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from api import event_stream
from engine.commands import EventList
from engine.event_filters import EventFilters
from engine.feed import Listener
from engine.outbox import Event


class Log:
    """A log and its live feed, under the control of a test. ``on_read`` is called before the n-th read."""

    def __init__(self, on_read: dict[int, Callable[[Log], None]]) -> None:
        self.position = 0
        self.turn = asyncio.Lock()
        self._last = 0
        self._listeners: set[Listener] = set()
        self._on_read = on_read
        self._reads = 0

    def write(self, count: int) -> None:
        """More entries, of which the feed does not know yet."""
        self._last += count

    def feed(self, number: int) -> None:
        """The feed tells entries up to this one."""
        for at in range(self.position + 1, number + 1):
            self.position = at
            for listener in self._listeners:
                listener.put(Event(at, 1, "RouterJobQueued", b"{}"))

    def add(self, listener: Listener) -> None:
        self._listeners.add(listener)

    def remove(self, listener: Listener) -> None:
        self._listeners.discard(listener)

    async def join(self, root: str) -> Listener:
        return Listener(self, 1000)  # type: ignore[arg-type]

    async def run(self, command: EventList) -> dict[str, Any]:
        self._reads += 1
        self._on_read.get(self._reads, lambda log: None)(self)
        numbers = range(command.after + 1, min(command.after + command.limit, self._last) + 1)
        rows = [{"op": n, "at": "1", "prev": n - 1, "events": ["RouterJobQueued", "{}"]} for n in numbers]
        return {"oldest": 1, "last": self._last, "next": rows[-1]["op"] if rows else 0, "rows": rows}


def call(log: Log, gone: asyncio.Event) -> Any:
    """One that asks for all events, of a client that may go."""

    async def receive() -> dict[str, str]:
        await gone.wait()
        return {"type": "http.disconnect"}

    return SimpleNamespace(
        run=log.run,
        feeds=log,
        root="r",
        raw_query=b"after=0",
        query={"after": "0"},
        headers={},
        receive=receive,
    )


async def shown(log: Log, count: int) -> list[str]:
    """The ids that a client gets that begins with the oldest event, up to so many."""
    answer = await event_stream.stream(call(log, asyncio.Event()))
    ids: list[str] = []
    async for part in answer.parts:
        lines = part.decode().split("\n")
        ids += [line.removeprefix("id: ") for line in lines if line.startswith("id: ") and "." in line]
        if len(ids) >= count:
            break
    await answer.parts.aclose()
    return ids


def both(written: int, fed: int) -> Callable[[Log], None]:
    def happen(log: Log) -> None:
        log.write(written)
        log.feed(fed)

    return happen


@pytest.mark.parametrize(
    "on_read",
    [
        # the feed is behind what is read first
        {1: both(3, 0)},
        # it has gone ahead, and more is written before the rest is read
        {1: lambda log: log.write(3), 2: both(2, 4)},
        # more is written, and told, while the rest is read
        {1: both(3, 2), 2: both(3, 6)},
        {1: both(3, 3), 2: both(4, 5)},
        # several portions
        {
            1: both(event_stream.PORTION, 0),
            2: both(event_stream.PORTION, event_stream.PORTION + 3),
            3: both(5, 0),
        },
        {1: both(event_stream.PORTION - 1, event_stream.PORTION - 1), 2: both(1, event_stream.PORTION)},
    ],
)
def test_each_event_comes_once(on_read: dict[int, Callable[[Log], None]]) -> None:
    async def work() -> None:
        log = Log(on_read)
        reading = asyncio.create_task(shown(log, 3 * event_stream.PORTION))
        for _ in range(50):
            await asyncio.sleep(0)
        # all that is left, by the feed
        log.write(3 * event_stream.PORTION - log._last)
        log.feed(log._last)
        assert await reading == [f"{number}.1" for number in range(1, 3 * event_stream.PORTION + 1)]

    asyncio.run(asyncio.wait_for(work(), 15))


def test_what_is_told_while_the_rest_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """The feed is ahead when the stream joins it, and goes on while the stream reads what lies between."""
    listen = Listener.listen
    log = Log({1: both(2, 0), 2: both(2, 5)})

    def late(listener: Listener, filters: EventFilters, after: int = 0) -> int:
        log.write(1)
        log.feed(3)
        return listen(listener, filters, after)

    monkeypatch.setattr(Listener, "listen", late)

    async def work() -> None:
        reading = asyncio.create_task(shown(log, 6))
        for _ in range(50):
            await asyncio.sleep(0)
        log.write(1)
        log.feed(6)
        assert await reading == [f"{number}.1" for number in range(1, 7)]

    asyncio.run(asyncio.wait_for(work(), 15))
