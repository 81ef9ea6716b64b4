"""Clients that read old events in turn: nobody waits for one that waits itself, or after going away."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from api import event_stream
from api.streaming import Disconnected
from engine.commands import EventList
from engine.errors import Unavailable
from engine.feed import Listener
from tests.events.test_join import Log, call
from tests.support import PATIENCE_SECONDS


class Away(Log):
    """A log of two portions whose store goes away after the first of them."""

    def __init__(self) -> None:
        super().__init__({})
        self.write(2 * event_stream.PORTION)
        self.refused = asyncio.Event()

    async def run(self, command: EventList) -> dict[str, Any]:
        if self._reads:
            self.refused.set()
            raise Unavailable("the store is away")
        return await super().run(command)


class Joined(Log):
    """A log that tells who has left it."""

    def __init__(self) -> None:
        super().__init__({})
        self.joined: list[Listener] = []
        self.left: list[Listener] = []

    async def join(self, root: str) -> Listener:
        self.joined.append(await super().join(root))
        return self.joined[-1]

    def remove(self, listener: Listener) -> None:
        self.left.append(listener)


def test_nobody_waits_for_one_that_waits_for_the_store(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(event_stream, "PATIENCE_SECONDS", 2 * PATIENCE_SECONDS)

    async def work() -> None:
        log, never = Away(), asyncio.Event()
        patient = await event_stream.stream(call(log, never))
        assert [await anext(patient.parts), await anext(patient.parts)]
        waiting = asyncio.create_task(anext(patient.parts))  # type: ignore[arg-type]
        await log.refused.wait()
        with pytest.raises(Unavailable, match="the store is away"):
            await event_stream.stream(call(log, never))
        assert not waiting.done()
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)

    asyncio.run(asyncio.wait_for(work(), PATIENCE_SECONDS))


def test_who_goes_away_before_its_turn_holds_nothing() -> None:
    async def work() -> None:
        log, gone = Joined(), asyncio.Event()
        async with log.turn:
            beginning = asyncio.create_task(event_stream.stream(call(log, gone)))
            while not log.joined:
                await asyncio.sleep(0)
            gone.set()
            with pytest.raises(Disconnected):
                await beginning
        assert log.left == log.joined

    asyncio.run(asyncio.wait_for(work(), PATIENCE_SECONDS))
