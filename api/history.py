"""The life of a job or worker, from the outbox: for the interface and the command line."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from api.call import Answer, Call
from api.wire import history as wire
from api.wire import queries
from engine.commands import Command, JobHistory, WorkerHistory

DEFAULT_LIMIT = 100
MAX_LIMIT = 1000

PORTION = 100
"""Events that one command replies at most."""
LOOKED_BACK = 1000
"""Events before a page that are read at most to know the state at its beginning."""

_KINDS: dict[str, tuple[type[JobHistory | WorkerHistory], type[wire.JobLife | wire.WorkerLife]]] = {
    "job": (JobHistory, wire.JobLife),
    "worker": (WorkerHistory, wire.WorkerLife),
}

Run = Callable[[Command], Awaitable[Any]]


async def job(call: Call, job_id: str) -> Answer:
    """Tells the life of a job, newest event first."""
    return await _answer(call, "job", job_id)


async def worker(call: Call, worker_id: str) -> Answer:
    """Tells the life of a worker, newest event first."""
    return await _answer(call, "worker", worker_id)


async def _answer(call: Call, kind: str, entity_id: str) -> Answer:
    before = queries.place(call.query, queries.BEFORE)
    limit = queries.whole(call.query, "limit", DEFAULT_LIMIT, MAX_LIMIT)
    return 200, wire.view(await life(call.run, kind, entity_id, before, limit)), ()


async def life(run: Run, kind: str, entity_id: str, before: str, limit: int) -> wire.Page:
    """At most ``limit`` events of a job or worker before one ("" = to the present). Raises Refused."""
    command, states = _KINDS[kind]
    first = reply = await run(command(entity_id, before, min(limit, PORTION)))
    shown = wire.happened(reply["rows"])
    while reply["next"] and len(shown) < limit:
        reply = await run(command(entity_id, reply["next"], min(limit - len(shown), PORTION)))
        shown += wire.happened(reply["rows"])
    end = reply
    earlier: list[wire.Happened] = []
    # what is known after the oldest event shown may depend on those before it
    while reply["next"] and len(earlier) < LOOKED_BACK and not states.is_settled((earlier or shown)[-1]):
        reply = await run(command(entity_id, reply["next"], PORTION))
        earlier += wire.happened(reply["rows"])
    read = wire.Read(
        entity_id,
        shown,
        earlier,
        begins=not reply["next"] and not reply["cut"],
        present=states.present(first),
        ends_at=int(first["ends_at"] if before else first["now"]),
        is_newest=not before,
        next=end["next"],
        cut=end["cut"],
        oldest=int(end["oldest"]),
    )
    return wire.page(read, states)
