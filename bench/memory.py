"""Bytes that a waiting job and an idle worker take in the server."""

from __future__ import annotations

from collections.abc import Iterable

from bench.entities import job, policy, queue, region_and_skill, worker
from bench.meters import used_memory
from bench.rounds import Plan
from bench.site import Site, site
from engine.commands import Command

COUNT = 200_000


def bytes_per_waiting_job(plan: Plan) -> float:
    """Of a job with a 540-byte document that waits in a queue without workers."""
    with site(plan.program, plan.server_cpu) as here:
        return _grown(here, map(job, range(plan.scale(COUNT))), plan.scale(COUNT))


def bytes_per_worker(plan: Plan) -> float:
    """Of an idle worker in one of 100 label classes."""
    with site(plan.program, plan.server_cpu) as here:
        workers = (worker(number, region_and_skill(number)) for number in range(plan.scale(COUNT)))
        return _grown(here, workers, plan.scale(COUNT))


def _grown(here: Site, commands: Iterable[Command], count: int) -> float:
    here.build([policy(), queue()])
    here.forget_events()
    before = used_memory(here.client)
    here.build(commands)
    here.forget_events()
    return (used_memory(here.client) - before) / count
