"""Previews: what would become of a job, without a write."""

from __future__ import annotations

import uuid
from typing import Any

from api.call import Answer, Call
from api.errors import BadRequest
from api.jobs import JOBS
from api.merge_patch import merge
from api.wire import jobs as wire
from api.wire import preview
from api.wire.json_body import read_object
from api.wire.values import MAX_ID
from engine.commands import JobCreate, JobPreview
from engine.explanations import Gathering


async def job(call: Call) -> Answer:
    """Tells what would become of the job in the body: a PATCH of a new one, which may name an ``id``."""
    given = read_object(call.body)
    whole = merge({}, JOBS.fold(given))
    create = wire.command(wire.body(whole), JobCreate, _id_of(given), 0, -1, "")
    gathering = Gathering(JobPreview.of(create))
    first: Any = None
    while gathering.command:
        reply = await call.run(gathering.command)
        first = first or reply
        gathering.add(reply)
    return 200, preview.view(first, gathering.result(), call.now_ms()), ()


def _id_of(given: dict[str, Any]) -> str:
    """The id that the job would get. What is drawn by weights depends on it."""
    # a name is taken in any case, and the last of several counts, as with all names
    job_id = {name.lower(): value for name, value in given.items()}.get("id")
    if job_id is None:
        return str(uuid.uuid4())
    if not isinstance(job_id, str) or not 1 <= len(job_id) <= MAX_ID:
        raise BadRequest(f"The property 'id' is not valid: it is a text of 1 to {MAX_ID} characters.")
    return job_id
