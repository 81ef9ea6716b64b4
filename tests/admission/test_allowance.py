"""What several processes let in of one router's requests together, on a clock of their own."""

from __future__ import annotations

import asyncio
import logging
import random
from typing import Any

import pytest

from api.admission.allowance import Allowance
from api.errors import TooManyRequests
from engine.commands import AllowanceLease
from engine.errors import Unavailable
from engine.settings import Rate
from tests.twin.model import Router
from tests.twin.router import WRITES

START_MS = 1_700_000_000_000


class Bucket:
    """The store, as the twin has it. ``away``: what it raises instead."""

    def __init__(self) -> None:
        self.router = Router("jr:{t}", START_MS)
        self.leases = 0
        self.away: Exception | None = None

    def now(self) -> float:
        """Seconds from the start."""
        return (self.router.now - START_MS) / 1000

    async def run(self, root: str, command: Any) -> Any:
        assert isinstance(command, AllowanceLease)
        # as if it came over the network
        await asyncio.sleep(0)
        if self.away:
            raise self.away
        self.leases += 1
        return WRITES[AllowanceLease](self.router, command)


class Processes:
    """Several processes that answer for one router, and what they let in."""

    def __init__(self, number: int, limit: int, window_ms: int) -> None:
        self.bucket = Bucket()
        rate = Rate(limit, window_ms)
        self.all = [Allowance(self.bucket, "t", rate, self.bucket.now) for _ in range(number)]
        self.admitted = self.refused = 0
        self.waits: list[int] = []

    async def ask(self, process: int, times: int = 1) -> None:
        """So many requests at once."""

        async def one() -> None:
            try:
                await self.all[process].take()
                self.admitted += 1
            except TooManyRequests as error:
                self.refused += 1
                self.waits.append(int(dict(error.headers)[b"retry-after"]))

        await asyncio.gather(*(one() for _ in range(times)))

    async def ask_at_rate(self, per_second: float, seconds: float, seed: int = 1) -> None:
        """Requests that come to any of them, at times of their own."""
        rng = random.Random(seed)
        ends = self.bucket.router.now + 1000 * seconds
        at: float = self.bucket.router.now
        while (at := at + rng.expovariate(per_second) * 1000) < ends:
            self.bucket.router.now = int(at)
            await self.ask(rng.randrange(len(self.all)))


@pytest.mark.parametrize("number", [1, 4, 16])
@pytest.mark.parametrize(("limit", "window_ms"), [(1_000, 10_000), (50, 1_000)])
def test_a_limit_is_one_of_all_processes_together(number: int, limit: int, window_ms: int) -> None:
    processes = Processes(number, limit, window_ms)
    asyncio.run(processes.ask_at_rate(10 * limit / window_ms * 1000, 5))
    allowed = limit + limit * 5_000 / window_ms
    assert 0.95 * allowed <= processes.admitted <= allowed
    # those who find nothing ask ten times a second; those who find something double their part from one on
    assert processes.bucket.leases <= number * 5 * 10 * 5
    assert set(processes.waits) == {1}


@pytest.mark.parametrize("number", [1, 4, 16])
@pytest.mark.parametrize("part", [0.1, 0.5, 0.8])
def test_who_stays_below_the_limit_is_not_refused(number: int, part: float) -> None:
    processes = Processes(number, 1_000, 10_000)
    asyncio.run(processes.ask_at_rate(part * 100, 60))
    assert processes.refused == 0


def test_a_call_of_the_store_is_not_paid_for_each_request() -> None:
    processes = Processes(2, 100_000, 10_000)
    asyncio.run(processes.ask_at_rate(5_000, 4))
    assert processes.admitted == pytest.approx(20_000, rel=0.05)
    assert processes.bucket.leases < processes.admitted / 50


def test_a_crowd_that_comes_at_once_is_asked_for_at_once() -> None:
    processes = Processes(1, 1_000, 10_000)
    asyncio.run(processes.ask(0, 1_200))
    assert (processes.admitted, processes.refused) == (1_000, 200)
    assert processes.bucket.leases == 2


def test_who_comes_again_when_told_is_let_in() -> None:
    async def work() -> None:
        processes = Processes(1, 3, 60_000)
        await processes.ask(0, 4)
        assert (processes.admitted, processes.waits) == (3, [20])
        processes.bucket.router.now += 19_000
        await processes.ask(0)
        assert (processes.admitted, processes.waits) == (3, [20, 1])
        processes.bucket.router.now += 1_000
        await processes.ask(0, 2)
        assert (processes.admitted, processes.waits) == (4, [20, 1, 20])

    asyncio.run(work())


def test_what_was_taken_long_ago_is_not_used() -> None:
    processes = Processes(2, 1_000, 10_000)

    async def measure() -> int:
        await processes.ask_at_rate(90, 5)
        before = processes.admitted
        processes.bucket.router.now += 60_000
        await processes.ask(0, 2_000)
        await processes.ask(1, 2_000)
        return processes.admitted - before

    assert asyncio.run(measure()) == 1_000


@pytest.mark.parametrize("error", [Unavailable("it is away"), ValueError("it is away")])
def test_all_are_let_in_while_the_store_is_away(error: Exception, caplog: pytest.LogCaptureFixture) -> None:
    async def work() -> None:
        processes = Processes(1, 10, 10_000)
        processes.bucket.away = error
        for _ in range(20):
            await processes.ask(0, 5)
            processes.bucket.router.now += 200
        assert (processes.admitted, processes.refused) == (100, 0)
        processes.bucket.away = None
        processes.bucket.router.now += 1_000
        await processes.ask(0, 20)
        assert (processes.admitted, processes.refused) == (110, 10)

    with caplog.at_level(logging.WARNING):
        asyncio.run(work())
    assert [record.getMessage() for record in caplog.records] == ["t: the rate limit is not kept: it is away"]


def test_who_has_waited_for_a_store_that_hangs_is_not_sent_to_wait_for_it_again() -> None:
    """Its request would wait for as long once more."""

    async def work() -> None:
        bucket = Bucket()
        allowance = Allowance(bucket, "t", Rate(10, 10_000), bucket.now)
        asked, gives_up = asyncio.Event(), asyncio.Event()

        async def hangs(root: str, command: Any) -> Any:
            asked.set()
            await gives_up.wait()
            bucket.router.now += 5_000
            raise Unavailable("it did not answer in time; whether the call was executed is unknown")

        bucket.run = hangs  # type: ignore[method-assign]
        first = asyncio.create_task(allowance.take())
        await asked.wait()
        bucket.router.now += 4_500
        late = asyncio.create_task(allowance.take())
        await asyncio.sleep(0)
        gives_up.set()
        with pytest.raises(Unavailable, match="nothing was done"):
            await first
        with pytest.raises(Unavailable, match="nothing was done"):
            await late
        # whoever comes now finds out for itself
        await allowance.take()

    asyncio.run(work())
