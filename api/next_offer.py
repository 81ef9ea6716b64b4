"""The next offer of a worker, for an application that waits for it: no Event Grid, no polling loop."""

from __future__ import annotations

import asyncio

from api.call import Answer, Call
from api.errors import BadRequest
from api.streaming import unless_gone
from api.wire import next_offer as wire
from engine.commands import WorkerRead
from engine.event_filters import EventFilters
from engine.feed import Ended
from engine.model import WorkerRecord

WAIT_SECONDS = 30
LONGEST_WAIT_SECONDS = 60

_ISSUED = frozenset({"RouterWorkerOfferIssued"})


async def wait(call: Call, worker_id: str) -> Answer:
    """The worker's open offers that a cursor has not seen: at once, or when one comes, or none."""
    seconds, seen = _seconds(call), wire.cursor(call.query.get("after", ""))
    return 200, await unless_gone(call.receive, _next(call, worker_id, seen, seconds)), ()


def _seconds(call: Call) -> int:
    text = call.query.get("wait", "") or str(WAIT_SECONDS)
    if not (text.isascii() and text.isdigit() and len(text) < 4 and int(text) <= LONGEST_WAIT_SECONDS):
        raise BadRequest(
            f"The query parameter 'wait' is not valid: it is a whole number of seconds, "
            f"from 0 to {LONGEST_WAIT_SECONDS}."
        )
    return int(text)


async def _next(call: Call, worker_id: str, seen: frozenset[str], seconds: int) -> bytes:
    end = asyncio.get_running_loop().time() + seconds
    listener = await call.feeds.join(call.root)
    try:
        listener.listen(EventFilters(types=_ISSUED, workers=frozenset({worker_id})))
        while True:
            # what comes after this read is heard, and what has ended is not in it
            record = WorkerRecord.parse(await call.run(WorkerRead(worker_id)))
            body, found = wire.answer(record, seen, call.now_ms())
            left = end - asyncio.get_running_loop().time()
            if found or left <= 0:
                return body
            try:
                await listener.next(left)
            except Ended:
                # the client asks again, here or elsewhere
                return body
    finally:
        listener.leave()
