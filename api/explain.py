"""Explanations: why a job is not offered."""

from __future__ import annotations

from api.call import Answer, Call
from api.wire import explanations as wire
from api.wire import queries
from engine.explanations import explain_job


async def job(call: Call, job_id: str) -> Answer:
    """Tells why a job is not offered, to anybody or to one worker."""
    worker_id = queries.text(call.query, queries.WORKER)
    return 200, wire.job(await explain_job(call.run, job_id, worker_id)), ()
