"""Offers and assignments: accept, decline, complete, close, unassign."""

from __future__ import annotations

from api.call import Answer, Call
from api.wire import options
from api.wire.options import CloseOptions, CompleteOptions, DeclineOptions, NoOptions, UnassignOptions
from api.wire.values import milliseconds
from engine.commands import AssignmentClose, AssignmentComplete, AssignmentUnassign, OfferAccept, OfferDecline


async def accept(call: Call, worker_id: str, offer_id: str) -> Answer:
    """Accepts an offer: the job is the worker's."""
    options.options(call.body, NoOptions)
    return 200, options.accepted(await call.run(OfferAccept(worker_id, offer_id, call.request_id))), ()


async def decline(call: Call, worker_id: str, offer_id: str) -> Answer:
    """Declines an offer."""
    given = options.options(call.body, DeclineOptions)
    await call.run(OfferDecline(worker_id, offer_id, milliseconds(given.retry_offer_at), call.request_id))
    return 200, options.EMPTY, ()


async def complete(call: Call, job_id: str, assignment_id: str) -> Answer:
    """Completes an assignment: wrap-up begins."""
    given = options.options(call.body, CompleteOptions)
    await call.run(AssignmentComplete(job_id, assignment_id, call.request_id, options.note_text(given.note)))
    return 200, options.EMPTY, ()


async def close(call: Call, job_id: str, assignment_id: str) -> Answer:
    """Closes a completed assignment, now or at a time."""
    given = options.options(call.body, CloseOptions)
    command = AssignmentClose(
        job_id,
        assignment_id,
        given.disposition_code,
        milliseconds(given.close_at),
        call.request_id,
        options.note_text(given.note),
    )
    await call.run(command)
    return 200, options.EMPTY, ()


async def unassign(call: Call, job_id: str, assignment_id: str) -> Answer:
    """Takes a job away from its worker."""
    given = options.options(call.body, UnassignOptions)
    command = AssignmentUnassign(job_id, assignment_id, given.suspend_matching, call.request_id)
    return 200, options.unassigned(await call.run(command)), ()
