"""The least that a life cycle costs: four functions written for the bench, driven as the router is."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from bench.client import Word, batches
from bench.entities import body
from bench.meters import Cost
from bench.peers.peer import Peer, Run
from bench.rounds import Plan
from bench.scenarios import WAVE
from bench.site import BUILD_DEPTH, Site

LIBRARY = Path(__file__).with_name("lean.lua")
ROOT = "{lean}"
WORKERS = 10_000


@contextlib.contextmanager
def _opened(here: Site, plan: Plan) -> Iterator[Run]:
    here.client.call("FUNCTION", "LOAD", "REPLACE", LIBRARY.read_text())
    workers = (_call("lean_worker", f"worker-{number}") for number in range(plan.scale(WORKERS)))
    here.client.run(batches(workers, BUILD_DEPTH))

    def run(cycles: int) -> Cost:
        total = Cost()
        for start in range(0, cycles, WAVE):
            numbers = here.take_serials(min(WAVE, cycles - start))
            jobs = [f"job-{number}" for number in numbers]
            documents = [(job, body(number)) for job, number in zip(jobs, numbers, strict=True)]
            offered, cost = _phase(here, "lean_submit", documents)
            if not all(offered):
                raise RuntimeError("there are too few free workers")
            total = total.plus(cost)
            for function in ("lean_accept", "lean_complete", "lean_close"):
                total = total.plus(_phase(here, function, [(job,) for job in jobs])[1])
        return total

    yield run


def _phase(here: Site, function: str, arguments: Sequence[tuple[Word, ...]]) -> tuple[list[Any], Cost]:
    return here.meter.run(batches(_call(function, *words) for words in arguments))


def _call(function: str, *words: Word) -> tuple[Word, ...]:
    return ("FCALL", function, 1, ROOT, *words)


LEAN = Peer(
    "lean",
    8_000,
    "four functions of 5 to 8 redis.calls, one pipelining connection, packed ahead of time",
    (
        "capacity, labels, selectors, priorities, policies, more than one queue and channel",
        "offers that are declined, or run out: a deadline is written, but nobody looks at it",
        "payloads of events: each is four short fields",
        "repeated requests, ETags, lists, statistics, checks of arguments",
    ),
    _opened,
)
