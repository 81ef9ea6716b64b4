"""The router's own library, every feature and full event payloads on."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Iterator

from bench import populations
from bench.entities import job
from bench.meters import Cost
from bench.peers.peer import Peer, Run
from bench.rounds import Plan
from bench.scenarios import WAVE
from bench.site import Site
from bench.steps import Steps, idle

WORKERS = 10_000


@contextlib.contextmanager
def _opened(here: Site, plan: Plan) -> Iterator[Run]:
    steps = populations.workers(WORKERS)(here, plan.scale)

    def run(cycles: int) -> Cost:
        cost = lives(steps, cycles)
        here.forget_events()
        return cost

    yield run


def lives(steps: Steps, cycles: int, wave: int = WAVE) -> Cost:
    """Whole lives of jobs for which workers are free, in waves."""
    steps.restart()
    for start in range(0, cycles, wave):
        numbers = steps.site.take_serials(min(wave, cycles - start))
        idle(steps, [job(number) for number in numbers])
    return functools.reduce(Cost.plus, steps.restart().values())


ROUTER = Peer(
    "router",
    1_600,
    "the router's library: create with the offer, accept, complete, close; 10,000 workers in 100 label "
    "classes; one pipelining connection, packed ahead of time",
    ("retries and back-off of failed work: that is left to the clients",),
    _opened,
)
