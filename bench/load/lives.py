"""Whole lives of jobs in the open loop: created at a fixed rate, taken through by agents who never rest."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import Callable, Sequence

import msgspec

from bench.load import calls
from bench.load.calls import Call
from bench.load.open_loop import Book, LoopClock, Schedule, Step, arrive, step
from bench.load.scenarios import Scenario
from bench.load.wire import Pool, Wire

AGENTS = 64
CONNECTIONS = 64
WAIT_SECONDS = 20
DRAIN_SECONDS = 2.0
SETTLE_SECONDS = 5.0
LOOK_SECONDS = 0.02
FACTOR = 1.6
WARM_UP = 1.0
"""Seconds at the first rate that do not count."""

LOST = (OSError, EOFError)


class _Offer(msgspec.Struct, rename="camel"):
    offer_id: str
    job_id: str


class _Offers(msgspec.Struct):
    value: list[_Offer]
    next: str


class _Assigned(msgspec.Struct, rename="camel"):
    assignment_id: str


_offers = msgspec.json.Decoder(_Offers).decode
_assigned = msgspec.json.Decoder(_Assigned).decode


class Centre:
    """One queue with its agents; jobs come as a schedule says."""

    def __init__(self, targets: Sequence[str], key: bytes) -> None:
        self._clock = LoopClock()
        self._book = Book(self._clock)
        self._targets = targets
        self._key = key
        self._scenario = Scenario("open", "jobs come at a fixed rate")
        self._creating = Pool(targets, key, CONNECTIONS)
        self._lives: dict[str, float] = {}
        """Jobs under way, to the time at which they were to be created."""
        self._waiting: set[str] = set()
        """Those without an offer."""
        self._left: set[str] = set()
        """Those of earlier rates, given up but not ended."""
        self._serial = itertools.count()

    async def open(self, group: asyncio.TaskGroup) -> list[asyncio.Task[None]]:
        """Makes the queue and signs the agents on; their tasks go on until they are cancelled."""
        async with self._creating.one() as wire:
            for call in self._scenario.rules():
                await _must(wire, call)
        signed_on = [await self._agent(number) for number in range(AGENTS)]
        return [group.create_task(self._work(*agent)) for agent in signed_on]

    def close(self) -> None:
        """Closes what creates jobs."""
        self._creating.close()

    async def run(self, schedule: Schedule) -> Step:
        """One rate."""
        self._book = book = Book(self._clock)
        start = await arrive(schedule, self._create, book, self._clock, DRAIN_SECONDS)
        end = self._clock.now() + DRAIN_SECONDS
        while self._lives and self._clock.now() < end:
            await self._clock.sleep(LOOK_SECONDS)
        book.unfinished = len(self._lives)
        self._left |= self._lives.keys()
        # they have taken so long at least; to leave them out would make the slow ones look quick
        for job, due in self._lives.items():
            book.note(calls.LIFE, due)
            if job in self._waiting:
                book.note(calls.TIME_TO_OFFER, due)
        self._lives.clear()
        self._waiting.clear()
        return step(schedule, start, book, calls.CREATE)

    async def settle(self) -> bool:
        """Waits until the agents have ended what a rate has left, for a while; whether they have."""
        end = self._clock.now() + SETTLE_SECONDS
        while self._left and self._clock.now() < end:
            await self._clock.sleep(LOOK_SECONDS)
        return not self._left

    async def _create(self, number: int, due: float) -> None:
        serial = next(self._serial)
        job = f"{self._scenario.queue}-{serial}"
        self._lives[job] = due
        self._waiting.add(job)
        book = self._book
        call = calls.create(job, self._scenario.queue, serial)
        try:
            async with self._creating.one() as wire:
                created = await _timed(wire, call, book, due)
        except asyncio.CancelledError:
            book.note(calls.CREATE, due)
            raise
        if created is None:
            self._lives.pop(job, None)
            self._waiting.discard(job)

    async def _agent(self, number: int) -> tuple[str, Wire]:
        worker = f"{self._scenario.queue}-agent-{number}"
        wire = Wire(self._targets[number % len(self._targets)], self._key)
        await _must(wire, calls.sign_on(worker, self._scenario.queue))
        return worker, wire

    async def _work(self, worker: str, wire: Wire) -> None:
        after = ""
        try:
            while True:
                try:
                    status, body = await wire.ask(calls.next_offer(worker, after, WAIT_SECONDS))
                except LOST:
                    status, body = 0, b""
                if status != 200:
                    self._book.fail(calls.NEXT)
                    await self._clock.sleep(0.05)
                    continue
                answer = _offers(body)
                after = answer.next
                for offer in answer.value:
                    await self._take(worker, wire, offer)
        finally:
            wire.close()

    async def _take(self, worker: str, wire: Wire, offer: _Offer) -> None:
        """The three steps of an agent; each is due when the one before has ended."""
        book, job, due = self._book, offer.job_id, self._clock.now()
        if job in self._waiting:
            self._waiting.discard(job)
            book.note(calls.TIME_TO_OFFER, self._lives[job])
        self._left.discard(job)
        body = await _timed(wire, calls.accept(worker, offer.offer_id), book, due)
        if body is None:
            self._lives.pop(job, None)
            return
        assignment = _assigned(body).assignment_id
        for make in (calls.complete, calls.close):
            if await _timed(wire, make(job, assignment), book, self._clock.now()) is None:
                self._lives.pop(job, None)
                return
        if created := self._lives.pop(job, None):
            book.note(calls.LIFE, created)
            book.ends.append(self._clock.now())


async def _timed(wire: Wire, call: Call, book: Book, due: float) -> bytes | None:
    """The body of the answer, timed from when the request was due; None for a failure."""
    try:
        status, body = await wire.ask(call)
    except LOST:
        status, body = 0, b""
    if status not in call.wanted:
        book.fail(call.name)
        return None
    book.note(call.name, due)
    return body


async def _must(wire: Wire, call: Call) -> None:
    status, body = await wire.ask(call)
    if status not in call.wanted:
        raise RuntimeError(f"{call.method} {call.target}: {status} {body[:200]!r}")


async def rising(
    targets: Sequence[str],
    key: bytes,
    rate: float,
    steps: int,
    seconds: float,
    at_most: float,
    say: Callable[[str], None],
) -> list[Step]:
    """Rates that grow until one is not sustained, twice; or all steps are done, or the time is over.

    All times in seconds; after ``at_most`` no step begins.
    """
    centre, found = Centre(targets, key), list[Step]()
    end = time.monotonic() + at_most
    try:
        async with asyncio.TaskGroup() as group:
            agents = await centre.open(group)
            await centre.run(Schedule(rate, WARM_UP))
            for number in range(steps):
                if time.monotonic() > end:
                    break
                schedule = Schedule(round(rate * FACTOR**number, 1), seconds)
                say(f"open loop: {schedule.rate:,.0f} jobs a second")
                found.append(await centre.run(schedule))
                # one bad moment says nothing on a machine that others use as well
                if not found[-1].sustained and await centre.settle():
                    found.append(await centre.run(schedule))
                if not found[-1].sustained:
                    break
            for agent in agents:
                agent.cancel()
    finally:
        centre.close()
    return found
