"""Jobs: upsert, read, delete, list, position, cancel, reclassify."""

from __future__ import annotations

from functools import partial
from typing import Any

from api import entities
from api.call import Answer, Call
from api.entities import Entity
from api.merge_patch import merge
from api.paging import PageRequest
from api.wire import jobs as wire
from api.wire import options, queries
from api.wire.options import CancelOptions, NoOptions
from engine.commands import (
    Command,
    JobCancel,
    JobCreate,
    JobDelete,
    JobList,
    JobPosition,
    JobRead,
    JobReclassify,
    JobUpdate,
)
from engine.model import JobRecord


class _Jobs(Entity[JobRecord]):
    kind = "job"
    fold = staticmethod(wire.fold)
    record = JobRecord

    def read(self, entity_id: str) -> Command:
        return JobRead(entity_id)

    def delete(self, entity_id: str) -> Command:
        return JobDelete(entity_id)

    def create(self, entity_id: str, whole: dict[str, Any], call: Call) -> Command:
        return wire.command(wire.body(whole), JobCreate, entity_id, 0, -1, call.request_id)

    def update(self, record: JobRecord, patch: dict[str, Any], rev: int, call: Call) -> Command | None:
        job = wire.body(merge(wire.current(record), patch))
        if record.finished:
            return wire.command(job, JobCreate, record.id, record.doc, rev, call.request_id)
        update = wire.command(job, JobUpdate, record.id, record.doc, rev, call.request_id)
        return None if wire.unchanged(record, update) else update

    def view(self, record: JobRecord, tag: str, call: Call) -> bytes:
        return wire.view(record, tag, call.now_ms())


JOBS = _Jobs()

upsert = partial(entities.upsert, JOBS)
get = partial(entities.get, JOBS)
delete = partial(entities.delete, JOBS)

_FILTERS = (
    queries.STATUS,
    queries.QUEUE,
    queries.CHANNEL,
    queries.CLASSIFICATION,
    queries.SCHEDULED_BEFORE,
    queries.SCHEDULED_AFTER,
)


async def page(call: Call) -> Answer:
    """Lists jobs, newest first."""
    request = PageRequest(call, _FILTERS)
    given = request.filters
    command = JobList(
        request.size,
        request.after,
        status=queries.choice(given, queries.STATUS, queries.JOB_STATUSES),
        queue=queries.text(given, queries.QUEUE),
        channel=queries.text(given, queries.CHANNEL),
        classification=queries.text(given, queries.CLASSIFICATION),
        scheduled_before=queries.moment(given, queries.SCHEDULED_BEFORE),
        scheduled_after=queries.moment(given, queries.SCHEDULED_AFTER),
    )
    return await entities.page(JOBS, call, request, command)


async def position(call: Call, job_id: str) -> Answer:
    """Tells the place of a job in its queue."""
    return 200, options.position(await call.run(JobPosition(job_id))), ()


async def cancel(call: Call, job_id: str) -> Answer:
    """Cancels a job."""
    given = options.options(call.body, CancelOptions)
    await call.run(JobCancel(job_id, given.disposition_code, call.request_id, options.note_text(given.note)))
    return 200, options.EMPTY, ()


async def reclassify(call: Call, job_id: str) -> Answer:
    """Classifies a job again."""
    options.options(call.body, NoOptions)
    await call.run(JobReclassify(job_id, call.request_id))
    return 200, options.EMPTY, ()
