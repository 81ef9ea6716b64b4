"""Work that arrives at a fixed rate whether or not the router keeps up, timed from when it was to begin.

A client that waits for each answer before its next request asks less while the router is slow, so it hardly
sees the slowness (coordinated omission). Here the next arrival does not wait, and what had to wait for a
connection, or for the generator itself, has waited: that counts.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, Protocol

import msgspec

from bench.load.percentiles import Summary, at

SUSTAINED = 0.9
"""The part of what is offered that must be achieved for a rate to count as sustained. In half a step of a
second and a half, one answer that is late by 100 ms at the end already takes away 7 %."""

LATE_SECONDS = 1.0
"""And its creates must not take longer than this at p99."""


class Clock(Protocol):
    """Seconds that only grow, and a way to wait."""

    def now(self) -> float:
        """The time."""

    async def sleep(self, seconds: float) -> None:
        """Waits so long."""


class LoopClock:
    """The clock of the running event loop."""

    def now(self) -> float:
        """The time in seconds."""
        return asyncio.get_running_loop().time()

    async def sleep(self, seconds: float) -> None:
        """Waits so many seconds."""
        await asyncio.sleep(seconds)


class Schedule(msgspec.Struct, frozen=True):
    """Arrivals at a fixed rate; times in seconds."""

    rate: float
    seconds: float

    @property
    def arrivals(self) -> int:
        """All of them."""
        return round(self.rate * self.seconds)

    def due(self, start: float, number: int) -> float:
        """When an arrival is to begin: never moved by what came before."""
        return start + number / self.rate


class Book:
    """Times of operations in seconds, each from when it was to begin."""

    def __init__(self, clock: Clock) -> None:
        self.times: dict[str, list[float]] = {}
        self.failures: dict[str, int] = {}
        self.unfinished = 0
        self.ends: list[float] = []
        """When whole pieces of work ended."""
        self.lags: list[float] = []
        """How late the generator itself began each arrival."""
        self._clock = clock

    def note(self, name: str, due: float) -> None:
        """An operation has ended now, or is given up: it has taken so long at least, and is not left out."""
        self.times.setdefault(name, []).append(self._clock.now() - due)

    def fail(self, name: str) -> None:
        """An operation has failed."""
        self.failures[name] = self.failures.get(name, 0) + 1

    def summaries(self) -> dict[str, Summary]:
        """All operations, in milliseconds."""
        names = [*self.times, *(name for name in self.failures if name not in self.times)]
        return {
            name: Summary.of((1000 * t for t in self.times.get(name, ())), self.failures.get(name, 0))
            for name in names
        }


class Step(msgspec.Struct, frozen=True):
    """One rate: pieces of work a second that arrived and that ended, and the times of the operations."""

    offered: float
    achieved: float
    unfinished: int
    lag_p99_ms: float
    operations: dict[str, Summary]
    create_p99_ms: float

    @property
    def sustained(self) -> bool:
        """Whether the router has kept up."""
        return self.achieved >= SUSTAINED * self.offered and self.create_p99_ms <= 1000 * LATE_SECONDS


async def arrive(
    schedule: Schedule,
    begin: Callable[[int, float], Coroutine[Any, Any, None]],
    book: Book,
    clock: Clock,
    drain: float,
) -> float:
    """Begins each piece of work when it is due, in a task of its own; gives the time of the first.

    After the last one the work may go on for ``drain`` seconds; then it is cancelled. Raises what it raises.
    """
    start = clock.now()
    tasks: set[asyncio.Task[None]] = set()
    raised: list[BaseException] = []
    idle = asyncio.Event()

    def ended(task: asyncio.Task[None]) -> None:
        tasks.discard(task)
        if not task.cancelled() and (error := task.exception()):
            raised.append(error)
        if not tasks:
            idle.set()

    try:
        for number in range(schedule.arrivals):
            due = schedule.due(start, number)
            if (pause := due - clock.now()) > 0:
                await clock.sleep(pause)
            book.lags.append(clock.now() - due)
            idle.clear()
            task = asyncio.ensure_future(begin(number, due))
            tasks.add(task)
            task.add_done_callback(ended)
        limits = [asyncio.ensure_future(each) for each in (clock.sleep(drain), idle.wait())]
        await asyncio.wait(limits, return_when=asyncio.FIRST_COMPLETED)
        for limit in limits:
            limit.cancel()
    finally:
        left = [*tasks]
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)
    if raised:
        raise raised[0]
    return start


def step(schedule: Schedule, start: float, book: Book, create: str) -> Step:
    """What a rate has come to. Achieved is the rate of ends in the second half, when a queue that only
    grows shows, and one that stands still does not."""
    half = schedule.seconds / 2
    ended = sum(start + half <= at_ <= start + schedule.seconds for at_ in book.ends)
    times = sorted(book.times.get(create, ()))
    return Step(
        offered=schedule.rate,
        achieved=ended / half,
        unfinished=book.unfinished,
        lag_p99_ms=1000 * at(sorted(book.lags), 99) if book.lags else 0.0,
        operations=book.summaries(),
        create_p99_ms=1000 * at(times, 99) if times else 0.0,
    )
