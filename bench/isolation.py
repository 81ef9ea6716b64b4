"""What a router feels of another one in its process that is asked ten times what its limit allows.

One API process beside a private server serves two routers. Requests for the modest one come at a fixed rate,
each timed from when it was due. In every second phase another process asks the greedy one at ten times its
limit, and never waits for what it is told. Phases take turns: what else the machine does disturbs both alike.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import itertools
import statistics
import subprocess
import sys
from base64 import b64encode
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec

from api.serving.rate_limits import rate
from bench import dying
from bench.command_line import say
from bench.http import KEY, started
from bench.load import calls
from bench.load.calls import Call
from bench.load.open_loop import Book, LoopClock, Schedule, arrive
from bench.load.percentiles import Summary
from bench.load.wire import Pool
from bench.server import server

GOAL = 2.0
TIMES = 10
"""How many times its limit the greedy router is asked."""

QUEUE = "q"
LIFE = "create and cancel"
CONNECTIONS = 64
DRAIN_SECONDS = 2.0
MODEST, GREEDY = "127.0.0.1", "localhost"
"""The hosts of the two routers."""


class Sent(msgspec.Struct):
    """What became of the requests for the greedy router: done, refused with 429 or 503, failed otherwise."""

    done: int = 0
    limited: int = 0
    shed: int = 0
    failed: int = 0

    def plus(self, other: Sent) -> Sent:
        """Both together."""
        return Sent(*(getattr(self, name) + getattr(other, name) for name in self.__struct_fields__))


class Phase(msgspec.Struct):
    """Times of the modest router in seconds, its failures, and how late the generator was."""

    times: list[float]
    failures: int
    lags: list[float]


class Figures(msgspec.Struct):
    """The result. Times in milliseconds; ``ratio`` is that of p99, ``by_round`` the middle one of rounds."""

    alone: Summary
    beside: Summary
    ratio: float
    by_round: float
    lag_p99_ms: float
    greedy: Sent
    offered: float
    seconds: float


class Plan(msgspec.Struct):
    """``rate``: requests a second for the modest router; ``seconds`` of a phase."""

    limit: str = "1000/10s"
    rate: float = 50.0
    rounds: int = 8
    seconds: float = 5.0

    @property
    def flood(self) -> float:
        """Requests a second for the greedy router."""
        it = rate(self.limit)
        if it is None:
            raise ValueError("isolation needs a limit")
        return TIMES * it.limit * 1000 / it.window_ms


_numbers = itertools.count(1)


class Client:
    """A client of one router, over connections of its own."""

    def __init__(self, host: str, port: int) -> None:
        self._pool = Pool([f"http://{host}:{port}"], KEY, CONNECTIONS)

    async def ask(self, call: Call) -> int:
        """The status of the answer; 0 when there is none."""
        try:
            async with self._pool.one() as wire:
                return (await wire.ask(call))[0]
        except (OSError, EOFError):
            return 0

    async def set_up(self) -> None:
        """A queue with its policy. Raises RuntimeError."""
        for call in (calls.policy("p", 60, 1), calls.queue(QUEUE, "p")):
            if (status := await self.ask(call)) not in call.wanted:
                raise RuntimeError(f"{call.name}: status {status}")

    async def flood(self, per_second: float, seconds: float) -> Sent:
        """Creates jobs at a rate, and never waits for what it is told to."""
        sent = Sent()

        async def one(_: int, __: float) -> None:
            status = await self.ask(calls.create(f"greedy-{next(_numbers)}", QUEUE, 1))
            if status in calls.MERGED:
                sent.done += 1
            elif status == 429:
                sent.limited += 1
            elif status == 503:
                sent.shed += 1
            else:
                sent.failed += 1

        clock = LoopClock()
        await arrive(Schedule(per_second, seconds), one, Book(clock), clock, DRAIN_SECONDS)
        return sent

    async def live(self, per_second: float, seconds: float) -> Phase:
        """Creates and cancels jobs at a rate."""
        clock = LoopClock()
        book = Book(clock)

        async def one(_: int, due: float) -> None:
            job = f"modest-{next(_numbers)}"
            created = await self.ask(calls.create(job, QUEUE, 1))
            target = f"/routing/jobs/{job}:cancel?{calls.VERSION}"
            cancelled = await self.ask(Call("cancel", "POST", target, b"{}"))
            if created in calls.MERGED and cancelled == 200:
                book.note(LIFE, due)
            else:
                book.fail(LIFE)

        await arrive(Schedule(per_second, seconds), one, book, clock, DRAIN_SECONDS)
        return Phase(book.times.get(LIFE, []), book.failures.get(LIFE, 0), book.lags)

    def close(self) -> None:
        """Closes its connections."""
        self._pool.close()


@contextlib.contextmanager
def two_routers(limit: str) -> Iterator[int]:
    """One API process that serves both; yields its port."""
    key = b64encode(KEY).decode()
    with server() as socket:
        options = {
            "redis-url": f"unix://{socket}",
            "access-keys": f"modest={key};greedy={key}",
            "hosts": f"modest={MODEST};greedy={GREEDY}",
            "view-keys": "",
            "rate-limit": f"greedy={limit}",
            "port": "0",
        }
        words = [f"--{name}={value}" for name, value in options.items()]
        with started([sys.executable, "-m", "api.cli", "api", *words]) as (port, _):
            yield port


@contextlib.contextmanager
def flooder(port: int, per_second: float) -> Iterator[subprocess.Popen[str]]:
    """The process that asks the greedy router, for as long as it is told, line by line."""
    command = [sys.executable, "-m", "bench.isolation", "--flood", str(port), "--rate", str(per_second)]
    process = subprocess.Popen(
        command,
        cwd=Path(__file__).parents[1],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        preexec_fn=dying.with_us(),
    )
    try:
        assert process.stdin
        assert process.stdout
        process.stdout.readline()
        yield process
    finally:
        process.kill()
        process.communicate()


def obey(port: int, per_second: float) -> None:
    """The other side of it: seconds come in, what was sent goes out."""

    async def work() -> None:
        client = Client(GREEDY, port)
        await client.set_up()
        print("ready", flush=True)
        while line := await asyncio.to_thread(sys.stdin.readline):
            sent = await client.flood(per_second, float(line))
            print(msgspec.json.encode(sent).decode(), flush=True)
        client.close()

    asyncio.run(work())


def measure(plan: Plan, say: Callable[[str], None] = lambda _: None) -> Figures:
    """Rounds of two phases, after one that does not count."""
    rounds: list[tuple[Phase, Phase]] = []
    greedy = Sent()

    async def work(port: int, other: subprocess.Popen[str]) -> None:
        nonlocal greedy
        assert other.stdin
        assert other.stdout
        client = Client(MODEST, port)
        await client.set_up()
        await client.live(plan.rate, 1)
        for number in range(plan.rounds):
            say(f"round {number + 1} of {plan.rounds}")
            alone = await client.live(plan.rate, plan.seconds)
            print(plan.seconds, file=other.stdin, flush=True)
            beside = await client.live(plan.rate, plan.seconds)
            line = await asyncio.to_thread(other.stdout.readline)
            greedy = greedy.plus(msgspec.json.decode(line, type=Sent))
            rounds.append((alone, beside))
        client.close()

    with two_routers(plan.limit) as port, flooder(port, plan.flood) as other:
        asyncio.run(work(port, other))
    return figures(rounds, greedy, plan)


def figures(rounds: list[tuple[Phase, Phase]], greedy: Sent, plan: Plan) -> Figures:
    """What the rounds have come to."""
    alone, beside = (summary([pair[which] for pair in rounds]) for which in (0, 1))
    each = [(summary([one]).p99, summary([other]).p99) for one, other in rounds]
    lags = sorted(lag for pair in rounds for phase in pair for lag in phase.lags)
    return Figures(
        alone=alone,
        beside=beside,
        ratio=(beside.p99 or 0.0) / (alone.p99 or 1.0),
        by_round=statistics.median((other or 0.0) / (one or 1.0) for one, other in each),
        lag_p99_ms=Summary.of(1000 * lag for lag in lags).p99 or 0.0,
        greedy=greedy,
        offered=plan.flood,
        seconds=plan.rounds * plan.seconds,
    )


def summary(phases: list[Phase]) -> Summary:
    """Phases together."""
    times = [1000 * time for phase in phases for time in phase.times]
    return Summary.of(times, sum(phase.failures for phase in phases))


def report(found: Figures, plan: Plan) -> str:
    """The figures as text."""
    rows = [
        f"{name:<28}{one.count:>7}{one.failures:>8}{one.p50:>9.2f}{one.p95:>9.2f}{one.p99:>9.2f}{one.longest:>9.2f}"
        for name, one in ((f"{LIFE}, alone", found.alone), (f"{LIFE}, beside", found.beside))
    ]
    sent, verdict = found.greedy, "reached" if found.ratio <= GOAL else "missed"
    return "\n".join(
        (
            f"{'ms, from when it was due':<28}{'count':>7}{'failed':>8}"
            + "".join(f"{name:>9}" for name in ("p50", "p95", "p99", "max")),
            *rows,
            f"p99 beside ÷ alone: {found.ratio:.2f} (goal ≤ {GOAL:g}: {verdict}); middle of the rounds: "
            f"{found.by_round:.2f}",
            f"the generator was late by (p99): {found.lag_p99_ms:.2f} ms",
            f"the greedy router, limit {plan.limit}, was asked {found.offered:g} times a second for "
            f"{found.seconds:g} s: {sent.done} done, {sent.limited} refused with 429, {sent.shed} with 503, "
            f"{sent.failed} failed",
        )
    )


def main() -> int:
    """Measures and prints; 1 when the goal is missed."""
    defaults = Plan()
    parser = argparse.ArgumentParser(prog="python -m bench.isolation", description=__doc__)
    parser.add_argument("--limit", default=defaults.limit, help="limit of the greedy router [1000/10s]")
    parser.add_argument(
        "--rate", type=float, default=defaults.rate, help="requests a second for the other [50]"
    )
    parser.add_argument("--rounds", type=int, default=defaults.rounds, help="rounds of two phases [8]")
    parser.add_argument("--seconds", type=float, default=defaults.seconds, help="length of a phase [5]")
    parser.add_argument("--flood", type=int, default=0, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.flood:
        obey(given.flood, given.rate)
        return 0
    plan = Plan(given.limit, given.rate, given.rounds, given.seconds)
    found = measure(plan, say)
    print(report(found, plan))
    return int(found.ratio > GOAL)


if __name__ == "__main__":
    sys.exit(main())
