"""Bytes that an entity takes in the server, against how many there are of its kind."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path

from bench.client import Client
from bench.curves.curve import Curve
from bench.entities import job, policy, queue, region_and_skill, worker
from bench.meters import used_memory
from bench.rounds import Plan
from bench.scenarios import WAVE
from bench.site import Site, site
from bench.steps import Steps, idle

NAME = "memory"
SIZES = (1_000, 10_000, 100_000)
WHOLE = (1_000_000,)

Grow = Callable[[Site, range], None]


def _waiting(here: Site, numbers: range) -> None:
    here.build(map(job, numbers))


def _workers(here: Site, numbers: range) -> None:
    here.build(worker(number, region_and_skill(number)) for number in numbers)


def _queues(here: Site, numbers: range) -> None:
    here.build(queue(f"queue-{number}") for number in numbers)


def _closed(here: Site, numbers: range) -> None:
    steps = Steps(here)
    for start in range(numbers.start, numbers.stop, WAVE):
        idle(steps, [job(number) for number in range(start, min(start + WAVE, numbers.stop))])
        here.forget_events()


# As many workers as a wave has jobs: they are there before the bytes are counted.
ENTITIES: dict[str, tuple[Grow, int]] = {
    "waiting job": (_waiting, 0),
    "closed job": (_closed, WAVE),
    "worker": (_workers, 0),
    "queue": (_queues, 0),
}


def curve(plan: Plan, whole: bool, say: Callable[[str], None]) -> Curve:
    """Bytes an entity of each kind, at growing numbers."""
    sizes = (500, 1_000) if plan.quick else SIZES + (WHOLE if whole else ())
    lines = {}
    for name, (grow, workers) in ENTITIES.items():
        say(f"growing: {name}")
        # the most whole lives would take minutes
        lines[name] = [*_points(plan, sizes[:-1] if grow is _closed else sizes, grow, workers)]
    text = "Bytes of an entity with its share of all indexes; documents of jobs have 540 bytes."
    return Curve(NAME, text, {"bytes an entity": lines})


def _points(plan: Plan, sizes: tuple[int, ...], grow: Grow, workers: int) -> Iterator[tuple[int, float]]:
    with contextlib.ExitStack() as stack:
        loaded = stack.enter_context(site(plan.program, plan.server_cpu))
        # the server keeps what came in on a connection for a while, and the library came in on that one
        loaded.client.close()
        client = stack.enter_context(contextlib.closing(Client(Path(loaded.url.removeprefix("unix://")))))
        here = Site(client, loaded.root, loaded.url)
        here.build([policy(), queue()])
        _workers(here, range(workers))
        here.forget_events()
        before, done = used_memory(here.client), 0
        for size in sizes:
            grow(here, range(done, size))
            here.forget_events()
            done = size
            yield size, round((used_memory(here.client) - before) / size)
