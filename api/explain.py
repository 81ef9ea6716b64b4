"""Explanations: why a job is not offered, why a worker gets nothing."""

from __future__ import annotations

from api.call import Answer, Call
from api.wire import explanations as wire
from api.wire import queries
from api.wire.history import Decision, decisions
from api.wire.values import MAX_QUEUES
from engine.commands import JobHistory
from engine.errors import Refused
from engine.explanations import explain_job, explain_worker


async def job(call: Call, job_id: str) -> Answer:
    """Tells why a job is not offered, to anybody or to one worker."""
    worker_id = queries.text(call.query, queries.WORKER)
    found = await explain_job(call.run, job_id, worker_id)
    return 200, wire.job(found, await _decisions(call, job_id, wire.open_offers(found))), ()


async def _decisions(call: Call, job_id: str, offers: set[str]) -> dict[str, Decision]:
    """How open offers of a job came about, of those that its last events tell of."""
    if not offers:
        return {}
    try:
        reply = await call.run(JobHistory(job_id))
    except Refused:
        # it was deleted since
        return {}
    return {offer: made for offer, made in decisions(reply["rows"]).items() if offer in offers}


async def worker(call: Call, worker_id: str) -> Answer:
    """Tells why a worker gets no job; ``after`` is the ``next`` of the answer before."""
    after = queries.whole(call.query, "after", 0, MAX_QUEUES)
    return 200, wire.worker(await explain_worker(call.run, worker_id, after)), ()
