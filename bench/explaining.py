"""What it takes to explain a job or a worker among 100,000 workers and 100,000 waiting jobs.

A complete explanation is put together of calls, each of which must leave the server to others soon. Times are
processor time of the server, where the system tells it.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable
from functools import cache
from typing import Any

from bench.entities import job, region_and_skill, worker
from bench.populations import OTHER, Population, behind, nobody_speaks, workers
from bench.rounds import Plan
from bench.scenarios import named
from bench.site import Site, site
from engine import store
from engine.commands import Command, JobExplain, JobList, WorkerExplain, WorkerList
from engine.explanations import Gathering
from engine.model import Channel

COUNT = 100_000
LABEL_SETS = 10_000
ASKED = 20
"""Jobs and workers that are explained in a round."""
ROUNDS = 5

Times = tuple[float, float]
"""The slowest complete explanation and the slowest call, in ms; of each the median of the rounds."""


def explain_ms(plan: Plan) -> float:
    """The slowest complete explanation."""
    return _many(plan)[0]


def explain_call_ms(plan: Plan) -> float:
    """The slowest single call."""
    return _many(plan)[1]


def explain_10k_label_sets_ms(plan: Plan) -> float:
    """The slowest complete explanation among 10,000 workers of as many label sets."""
    return _varied(plan)[0]


def explain_10k_label_sets_call_ms(plan: Plan) -> float:
    """The slowest single call there."""
    return _varied(plan)[1]


@cache
def _many(plan: Plan) -> Times:
    """Half of the workers are free, half are full; half of the jobs fit nobody, half only the full ones."""

    def build(here: Site, scale: Callable[[int], int]) -> Any:
        half = scale(COUNT // 2)
        steps = behind(half, half, nobody_speaks)(here, scale)
        full = [Channel(OTHER, 2)]
        here.build(worker(n, region_and_skill(n), prefix=OTHER, channels=full) for n in range(half))
        here.build(job(n, channel=OTHER) for n in here.take_serials(half))
        return steps

    return _measured(build, plan)


@cache
def _varied(plan: Plan) -> Times:
    def build(here: Site, scale: Callable[[int], int]) -> Any:
        steps = workers(LABEL_SETS, labels=named)(here, scale)
        here.build(job(n, nobody_speaks(n)) for n in here.take_serials(scale(1_000)))
        return steps

    return _measured(build, plan)


def _measured(population: Population, plan: Plan) -> Times:
    with site(plan.program, plan.server_cpu) as here:
        population(here, plan.scale)
        # the newest and the oldest, so that there are some of each half
        jobs = [row["id"] for row in _run(here, JobList(ASKED, status="queued"))["rows"]]
        jobs += here.client.call("ZRANGE", f"{here.root}:jobs", 0, ASKED - 1)
        staff = [row["id"] for row in _run(here, WorkerList(ASKED))["rows"]]
        staff += here.client.call("ZRANGE", f"{here.root}:workers", 0, ASKED - 1)
        rounds = [_round(here, jobs, staff) for _ in range(1 if plan.quick else ROUNDS)]
        # the same explanation in each round, the same call of it in each round
        explained = [[*zip(*calls, strict=True)] for calls in zip(*rounds, strict=True)]
        whole = [statistics.median(map(sum, zip(*calls, strict=True))) for calls in explained]
        return max(whole), max(statistics.median(times) for calls in explained for times in calls)


def _round(here: Site, jobs: list[str], staff: list[str]) -> list[list[float]]:
    """Explains each job to all, each job to one worker, and each worker: the times of the calls of each."""
    explained = [[*_whole(here, one)] for one in jobs]
    explained += [[_timed(here, JobExplain(*pair))[0]] for pair in zip(jobs, staff, strict=False)]
    explained += [[_timed(here, WorkerExplain(one))[0]] for one in staff]
    return explained


def _whole(here: Site, job_id: str) -> list[float]:
    """The times of all calls of an explanation."""
    times = []
    gathering = Gathering(JobExplain(job_id))
    while gathering.command:
        taken, reply = _timed(here, gathering.command)
        times.append(taken)
        gathering.add(reply)
    return times


def _timed(here: Site, command: Command) -> tuple[float, store.Reply]:
    replies, cost = here.meter.run(here.packed([command]))
    return (cost.processor_ns / 1e6 or cost.microseconds / 1e3), store.named(replies[0])


def _run(here: Site, command: Command) -> store.Reply:
    return store.named(here.client.run(here.packed([command]))[0])
