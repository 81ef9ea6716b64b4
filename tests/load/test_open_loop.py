"""Arithmetic of the open loop, on a clock that the test moves."""

from __future__ import annotations

import asyncio
import heapq
import itertools
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from bench.load.open_loop import Book, Schedule, Step, arrive, step

SETTLED = 10
"""Turns of the event loop in which everything that can go on without time goes on."""


class Clock:
    """Time stands still until nobody can go on; then it goes to the next who waits."""

    def __init__(self) -> None:
        self.time = 1000.0
        self._waiting: list[tuple[float, int, asyncio.Future[None]]] = []
        self._order = itertools.count()

    def now(self) -> float:
        return self.time

    async def sleep(self, seconds: float) -> None:
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        heapq.heappush(self._waiting, (self.time + seconds, next(self._order), future))
        await future

    async def drive(self, task: asyncio.Task[Any]) -> None:
        while not task.done():
            for _ in range(SETTLED):
                await asyncio.sleep(0)
            if self._waiting and not task.done():
                time, _, future = heapq.heappop(self._waiting)
                self.time = max(self.time, time)
                if not future.done():
                    future.set_result(None)


class Server:
    """Answers one after the other in ``seconds`` each; ``stall``: the number of one, and its time."""

    def __init__(
        self, clock: Clock, book: Book, seconds: float, stall: tuple[int, float] = (-1, 0.0)
    ) -> None:
        self.clock = clock
        self.book = book
        self.seconds = seconds
        self.stall = stall
        self._turn = asyncio.Lock()

    async def serve(self, number: int, due: float) -> None:
        try:
            async with self._turn:
                await self.clock.sleep(self.stall[1] if number == self.stall[0] else self.seconds)
        except asyncio.CancelledError:
            self.book.unfinished += 1
            self.book.note("it", due)
            raise
        self.book.note("it", due)
        self.book.ends.append(self.clock.now())


def play(
    schedule: Schedule,
    begin: Callable[[Clock, Book], Callable[[int, float], Coroutine[Any, Any, None]]],
    drain: float = 5.0,
) -> tuple[Step, list[float]]:
    async def main() -> tuple[Step, list[float]]:
        clock = Clock()
        book = Book(clock)
        task = asyncio.ensure_future(arrive(schedule, begin(clock, book), book, clock, drain))
        await clock.drive(task)
        return step(schedule, task.result(), book, "it"), book.times["it"]

    return asyncio.run(main())


def test_arrivals_keep_their_times() -> None:
    schedule = Schedule(rate=4, seconds=2)
    assert schedule.arrivals == 8
    assert [schedule.due(10.0, number) for number in range(3)] == [10.0, 10.25, 10.5]


def test_a_stall_counts_for_all_who_came_meanwhile() -> None:
    def server(clock: Clock, book: Book) -> Callable[[int, float], Coroutine[Any, Any, None]]:
        return Server(clock, book, 0.001, stall=(100, 1.0)).serve

    found, times = play(Schedule(rate=100, seconds=4), server)
    # the one that stalled; the next came 10 ms later, waited 10 ms less, and took 1 ms; and so on
    assert times[100:104] == pytest.approx([1.0, 0.991, 0.982, 0.973])
    assert sum(time > 0.0015 for time in times) == 111
    # a client that waits for each answer would have seen one slow request in 400: p99 1 ms
    assert found.operations["it"].p99 == pytest.approx(1000 * (1.0 - 4 * 0.009))
    assert found.operations["it"].p50 == pytest.approx(1.0)
    assert found.operations["it"].longest == pytest.approx(1000.0)
    assert found.unfinished == 0


def test_a_rate_that_is_kept_is_sustained() -> None:
    def server(clock: Clock, book: Book) -> Callable[[int, float], Coroutine[Any, Any, None]]:
        return Server(clock, book, 0.009).serve

    found, _ = play(Schedule(rate=100, seconds=2), server)
    assert found.achieved == pytest.approx(100, abs=1)
    assert found.lag_p99_ms == 0
    assert found.sustained


def test_beyond_the_ceiling_what_is_achieved_is_the_ceiling() -> None:
    def server(clock: Clock, book: Book) -> Callable[[int, float], Coroutine[Any, Any, None]]:
        return Server(clock, book, 0.02).serve

    found, times = play(Schedule(rate=100, seconds=2), server, drain=0.5)
    assert found.achieved == pytest.approx(50, abs=1)
    assert not found.sustained
    # 2.5 s at 50 a second; the rest counts with the time that it has waited
    assert found.unfinished == pytest.approx(75, abs=2)
    assert len(times) == 200
    assert max(times) > 1.2


def test_slow_answers_alone_are_not_sustained() -> None:
    def patient(clock: Clock, book: Book) -> Callable[[int, float], Coroutine[Any, Any, None]]:
        async def begin(number: int, due: float) -> None:
            await clock.sleep(1.1)
            book.note("it", due)
            book.ends.append(clock.now())

        return begin

    found, _ = play(Schedule(rate=10, seconds=4), patient)
    assert found.achieved == pytest.approx(10, abs=0.5)
    assert found.operations["it"].p50 == pytest.approx(1100)
    assert not found.sustained


def test_a_generator_that_is_late_says_so_and_counts_it() -> None:
    def busy(clock: Clock, book: Book) -> Callable[[int, float], Coroutine[Any, Any, None]]:
        async def begin(number: int, due: float) -> None:
            if number == 0:
                # all stands still, the generator too
                clock.time += 0.5
            book.note("it", due)

        return begin

    found, times = play(Schedule(rate=10, seconds=2), busy)
    assert found.lag_p99_ms == pytest.approx(400)
    assert times[1] == pytest.approx(0.4)


def test_what_work_raises_is_raised() -> None:
    def broken(clock: Clock, book: Book) -> Callable[[int, float], Coroutine[Any, Any, None]]:
        async def begin(number: int, due: float) -> None:
            raise ZeroDivisionError

        return begin

    with pytest.raises(ZeroDivisionError):
        play(Schedule(rate=10, seconds=1), broken)
