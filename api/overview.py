"""Queues and workers as they stand, for those who watch a router."""

from __future__ import annotations

from api.call import Answer, Call
from api.paging import PageRequest
from api.wire import lists, queries
from api.wire import overview as wire
from engine.commands import QueueOverview, WorkerOverview

MAX_ROWS = 100


async def queues(call: Call) -> Answer:
    """Lists queues, newest first: how many jobs wait by priority, for how long, and whether anybody fits."""
    request = PageRequest(call)
    reply = await call.run(QueueOverview(min(request.size, MAX_ROWS), request.after))
    rows = [wire.queue(row) for row in reply["rows"]]
    return 200, lists.page(rows, request.link(call, int(reply["next"]))), ()


async def workers(call: Call) -> Answer:
    """Lists workers, newest first: state, load, what they hold, and since when they are as they are."""
    request = PageRequest(call, (queries.QUEUE,))
    queue_id = queries.text(request.filters, queries.QUEUE)
    reply = await call.run(WorkerOverview(min(request.size, MAX_ROWS), request.after, queue_id))
    rows = [wire.worker(row) for row in reply["rows"]]
    return 200, lists.page(rows, request.link(call, int(reply["next"]))), ()
