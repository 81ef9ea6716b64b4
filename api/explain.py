"""Explanations: why a job is not offered, why a worker gets nothing."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from api.call import Answer, Call
from api.wire import explanations as wire
from api.wire import queries
from api.wire.history import Decision, decisions
from api.wire.values import MAX_QUEUES
from engine.commands import Command, JobHistory
from engine.errors import Refused
from engine.explanations import JobExplanation, explain_job, explain_worker


async def job(call: Call, job_id: str) -> Answer:
    """Tells why a job is not offered, to anybody or to one worker."""
    worker_id = queries.text(call.query, queries.WORKER)
    found = await explain_job(call.run, job_id, worker_id)
    return 200, wire.job(found, await tell_how(call.run, found)), ()


async def tell_how(
    run: Callable[[Command], Awaitable[Mapping[str, Any]]], found: JobExplanation
) -> dict[str, Decision]:
    """How open offers came about, as far as the job's last events tell; notes it in the explanation."""
    made = await _decisions(run, found.job, wire.open_offers(found))
    wire.tell_how(found, made)
    return made


async def _decisions(
    run: Callable[[Command], Awaitable[Mapping[str, Any]]], job_id: str, offers: set[str]
) -> dict[str, Decision]:
    if not offers:
        return {}
    try:
        reply = await run(JobHistory(job_id))
    except Refused:
        # it was deleted since
        return {}
    return {offer: made for offer, made in decisions(reply["rows"]).items() if offer in offers}


async def worker(call: Call, worker_id: str) -> Answer:
    """Tells why a worker gets no job; ``after`` is the ``next`` of the answer before."""
    after = queries.whole(call.query, "after", 0, MAX_QUEUES)
    return 200, wire.worker(await explain_worker(call.run, worker_id, after)), ()
