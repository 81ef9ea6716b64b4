"""Events to three subscribers while the worker is killed: one is healthy, one fails half the time, one hangs.

    python -m bench.delivery [--events 50000] [--kills 10] [--rate 300]

Verified, with exit status 1 if it is not so: every event reaches the first two, none out of order for its
job, what comes again is bounded by what may be under way when a worker is killed, the third gets all of them
as dead letters, and while a worker runs the healthy one's p99 delay is under a second.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import signal
import sys
import time
from collections.abc import AsyncIterator, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec
import uvloop

from api.wire.dead_letters import dead_letter_of
from bench.endpoints import ORDER, Endpoint
from bench.entities import policy, queue
from bench.server import server
from engine.commands import (
    Command,
    DeadLetterList,
    JobCancel,
    JobCreate,
    SubscriptionConfirm,
    SubscriptionRead,
    SubscriptionUpsert,
)
from engine.deliveries.delivery import UNSAVED
from engine.store import Store, root_of
from engine.subscriptions.model import Secrets, Subscription, target

CODE = "code-of-a-handshake"
TENANT = "main"
OPEN_JOBS = 50
TIMEOUT_SECONDS = 0.1
HANGING_TRIES = 2
MOST_PARKED = 10_000
PATIENCE_SECONDS = 600.0
P99_SECONDS = 1.0
FIELDS = {
    "deadLetterReason": "MaxDeliveryAttemptsExceeded",
    "deliveryAttempts": HANGING_TRIES,
    "lastDeliveryOutcome": "TimedOut",
}
"""What each dead letter must say, beside the times."""


class Plan(msgspec.Struct, frozen=True):
    """How much of it: events in all, kills of the worker, events made a second."""

    events: int = 50_000
    kills: int = 10
    rate: float = 300.0
    program: Path | None = None
    root: Path = Path(__file__).parents[1]


class Report(msgspec.Struct):
    """What came of it. Times in seconds.

    ``repeats`` came again because a worker was killed; ``late`` because an answer took longer than a try may.
    """

    events: int
    kills: int
    seconds: float
    missing: dict[str, int]
    out_of_order: dict[str, int]
    repeats: dict[str, int]
    bound: int
    late: dict[str, int]
    tries: dict[str, int]
    dead: int
    wrong_letters: int
    was_failing: bool
    p50_running: float
    p99_running: float
    p99: float
    outages: list[float]

    @property
    def problems(self) -> list[str]:
        """What is not as it is promised."""
        found = [f"{name}: {count} events are missing" for name, count in self.missing.items() if count]
        found += [f"{name}: {count} out of order" for name, count in self.out_of_order.items() if count]
        found += [
            f"{name}: {count} came again, more than {self.bound}"
            for name, count in self.repeats.items()
            if count > self.bound
        ]
        if self.dead != self.events or self.wrong_letters:
            found.append(f"{self.dead} dead letters of {self.events}, {self.wrong_letters} of them wrong")
        if self.p99_running >= P99_SECONDS:
            found.append(f"p99 of the healthy one is {self.p99_running:.3f} s")
        return found


class _Play:
    """One run: a store, three endpoints, and a worker that is killed."""

    def __init__(self, plan: Plan, store: Store, url: str) -> None:
        self.plan = plan
        self.store = store
        self.url = url
        self.healthy = Endpoint("healthy")
        self.failing = Endpoint("failing", fails=0.5)
        self.hanging = Endpoint("hanging", hangs=True)
        self.outages: list[tuple[float, float]] = []
        self.was_failing = False
        self._accepted = asyncio.Event()
        self.healthy.on_accepted = self._accepted.set

    async def run(self, command: Command) -> Any:
        return await self.store.run(root_of(TENANT), command)

    async def play(self) -> Report:
        async with contextlib.AsyncExitStack() as stack:
            for endpoint in (self.healthy, self.failing, self.hanging):
                await stack.enter_async_context(endpoint.listening())
            await self._set_up()
            began = time.monotonic()
            making = asyncio.create_task(self._make())
            await self._kill_again_and_again()
            async with self._worker():
                await self._until_done()
            await making
            return await self._report(time.monotonic() - began)

    async def _set_up(self) -> None:
        await self.run(policy())
        await self.run(queue())
        for endpoint, attempts in ((self.healthy, 30), (self.failing, 30), (self.hanging, HANGING_TRIES)):
            document = Subscription(url=endpoint.url, attempts=attempts)
            await self.run(
                SubscriptionUpsert(
                    id=endpoint.name,
                    target=target("eventGrid", endpoint.url),
                    document=document.text,
                    secret=Secrets(endpoint.url).text,
                    code=CODE,
                )
            )
            await self.run(SubscriptionConfirm(endpoint.name, CODE))

    async def _make(self) -> None:
        """Makes events at a steady rate: jobs that are created and, some jobs later, cancelled."""
        jobs = self.plan.events // len(ORDER)
        began = time.monotonic()
        for number in range(jobs + OPEN_JOBS):
            pause = began + number * len(ORDER) / self.plan.rate - time.monotonic()
            if pause > 0:
                await asyncio.sleep(pause)
            if number < jobs:
                await self.run(JobCreate(id=f"job-{number}", channel="voice", queue="support"))
            if number >= OPEN_JOBS:
                await self.run(JobCancel(id=f"job-{number - OPEN_JOBS}"))

    @contextlib.asynccontextmanager
    async def _worker(self) -> AsyncIterator[asyncio.subprocess.Process]:
        """A worker as operators run it; it is killed at the end."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith("JOBROUTER_")}
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "api.cli", "worker", "--redis-url", self.url),
            *("--allow-outgoing", "127.0.0.0/8", "--delivery-timeout", f"{1000 * TIMEOUT_SECONDS:.0f}ms"),
            *("--retry-scale", "0.00001", "--keep-dead-letters-count", str(2 * self.plan.events)),
            cwd=self.plan.root,
            env=kept,
            stdout=asyncio.subprocess.DEVNULL,
        )
        try:
            yield process
        finally:
            with contextlib.suppress(ProcessLookupError):
                process.send_signal(signal.SIGKILL)
            await process.wait()

    async def _kill_again_and_again(self) -> None:
        """Kills the worker each time that the healthy one has got a further part of all events."""
        began = time.time()
        for number in range(self.plan.kills):
            wanted = self.plan.events * (number + 1) // (self.plan.kills + 1)
            async with self._worker():
                await self._until_accepted(len(self.healthy.accepted) + 1)
                self.outages.append((began, time.time()))
                await self._until_accepted(wanted)
            began = time.time()
        self.outages.append((began, 0.0))

    async def _until_accepted(self, count: int) -> None:
        async with asyncio.timeout(PATIENCE_SECONDS):
            while len(self.healthy.accepted) < count:
                self._accepted.clear()
                await self._accepted.wait()

    async def _until_done(self) -> None:
        await self._until_accepted(len(self.healthy.accepted) + 1)
        self.outages[-1] = (self.outages[-1][0], time.time())
        total = len(ORDER) * (self.plan.events // len(ORDER))
        async with asyncio.timeout(PATIENCE_SECONDS):
            while True:
                hanging = await self.run(SubscriptionRead(self.hanging.name))
                self.was_failing |= hanging["status"] == "failing"
                done = int(hanging.get("dead", 0)), len(self.healthy.accepted), len(self.failing.accepted)
                if min(done) >= total:
                    return
                await asyncio.sleep(0.5)

    async def _report(self, seconds: float) -> Report:
        ids = await self._events()
        both = (self.healthy, self.failing)
        dead, wrong = await self._letters(ids)
        running = sorted(self._running())
        delays = sorted(delay for _, delay in self.healthy.delays)
        return Report(
            events=len(ids),
            kills=self.plan.kills,
            seconds=seconds,
            missing={one.name: len(ids - one.accepted.keys()) for one in both},
            out_of_order={one.name: len(one.out_of_order) for one in both},
            repeats={one.name: one.repeats for one in both},
            late={one.name: one.late for one in both},
            bound=self.plan.kills * UNSAVED,
            tries={one.name: one.tries for one in (*both, self.hanging)},
            dead=dead,
            wrong_letters=wrong,
            was_failing=self.was_failing,
            p50_running=running[len(running) // 2],
            p99_running=running[int(len(running) * 0.99)],
            p99=delays[int(len(delays) * 0.99)],
            outages=[end - begin for begin, end in self.outages[1:]],
        )

    def _running(self) -> Iterator[float]:
        """Delays while a worker runs: of what happened while none did, from the end of that time on."""
        for happened, delay in self.healthy.delays:
            end = max((end for begin, end in self.outages if begin <= happened < end), default=happened)
            yield max(0.0, happened + delay - end)

    async def _events(self) -> set[str]:
        """The ids of all events in the outbox."""
        ids: set[str] = set()
        after = "-"
        while entries := await self.store.ask(
            root_of(TENANT), "XRANGE", f"{root_of(TENANT)}:events", after, "+", "COUNT", "1000"
        ):
            for _, fields in entries:
                ids |= {json.loads(text)["id"] for text in fields if text.startswith('{"id":')}
            after = f"({entries[-1][0]}"
        return ids

    async def _letters(self, ids: set[str]) -> tuple[int, int]:
        """How many different events are dead letters, and how many letters do not say what they must."""
        seen: set[str] = set()
        wrong, after = 0, ""
        while True:
            page = await self.run(DeadLetterList(self.hanging.name, after, 1000))
            for row in page["rows"]:
                told = json.loads(bytes(dead_letter_of(row).event))
                seen.add(told["id"])
                wrong += told["id"] not in ids or not _is_right(told)
            if not (after := page["next"]):
                return len(seen), wrong


def _is_right(letter: dict[str, Any]) -> bool:
    """Whether a dead letter says what it must."""
    published, tried = (
        datetime.fromisoformat(letter[name]) for name in ("publishTime", "lastDeliveryAttemptTime")
    )
    return (
        letter["publishTime"] == letter["eventTime"]
        and tried >= published
        and all(letter[name] == value for name, value in FIELDS.items())
    )


async def play(plan: Plan, url: str) -> Report:
    """One run on a server with nothing in it."""
    store = await Store.open(url)
    try:
        return await _Play(plan, store, url).play()
    finally:
        await store.close()


def main() -> int:
    """Runs it once and prints what came of it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--events", type=int, default=Plan().events)
    parser.add_argument("--kills", type=int, default=Plan().kills)
    parser.add_argument("--rate", type=float, default=Plan().rate, help="events made a second")
    parser.add_argument("--server", type=Path, help="the server program, if not the embedded one")
    given = parser.parse_args()
    with server(given.server) as socket, asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        plan = Plan(given.events, given.kills, given.rate, given.server)
        report = runner.run(play(plan, f"unix://{socket}"))
    for name, value in msgspec.to_builtins(report).items():
        print(f"{name:14} {value}")
    for problem in report.problems:
        print(f"NOT AS PROMISED: {problem}")
    return 1 if report.problems else 0


if __name__ == "__main__":
    sys.exit(main())
