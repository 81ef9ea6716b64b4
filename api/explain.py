"""Explanations: why a job is not offered, why a worker gets nothing."""

from __future__ import annotations

from api.call import Answer, Call
from api.wire import explanations as wire
from api.wire import queries
from api.wire.values import MAX_QUEUES
from engine.explanations import explain_job, explain_worker


async def job(call: Call, job_id: str) -> Answer:
    """Tells why a job is not offered, to anybody or to one worker."""
    worker_id = queries.text(call.query, queries.WORKER)
    return 200, wire.job(await explain_job(call.run, job_id, worker_id)), ()


async def worker(call: Call, worker_id: str) -> Answer:
    """Tells why a worker gets no job; ``after`` is the ``next`` of the answer before."""
    after = queries.whole(call.query, "after", 0, MAX_QUEUES)
    return 200, wire.worker(await explain_worker(call.run, worker_id, after)), ()
