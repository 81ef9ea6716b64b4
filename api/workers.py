"""Workers: upsert, read, delete, list."""

from __future__ import annotations

from functools import partial
from typing import Any

from api import entities
from api.call import Answer, Call
from api.entities import Entity
from api.merge_patch import merge
from api.paging import PageRequest
from api.wire import queries
from api.wire import workers as wire
from engine.commands import Command, WorkerDelete, WorkerList, WorkerRead
from engine.model import WorkerRecord


class _Workers(Entity[WorkerRecord]):
    kind = "worker"
    fold = staticmethod(wire.fold)
    record = WorkerRecord

    def patch_of(self, call: Call) -> dict[str, Any]:
        patch = super().patch_of(call)
        return patch if call.knows_limit else wire.without_limit(patch)

    def read(self, entity_id: str) -> Command:
        return WorkerRead(entity_id)

    def delete(self, entity_id: str) -> Command:
        return WorkerDelete(entity_id)

    def create(self, entity_id: str, whole: dict[str, Any], call: Call) -> Command:
        return wire.command(wire.body(whole), entity_id, 0, -1)

    def update(self, record: WorkerRecord, patch: dict[str, Any], rev: int, call: Call) -> Command | None:
        update = wire.command(wire.body(merge(wire.current(record), patch)), record.id, record.doc, rev)
        return None if wire.unchanged(record, update) else update

    def view(self, record: WorkerRecord, tag: str, call: Call) -> bytes:
        return wire.view(record, tag, call.knows_limit)


WORKERS = _Workers()

upsert = partial(entities.upsert, WORKERS)
get = partial(entities.get, WORKERS)
delete = partial(entities.delete, WORKERS)

_FILTERS = (queries.STATE, queries.CHANNEL, queries.QUEUE, queries.HAS_CAPACITY)


async def page(call: Call) -> Answer:
    """Lists workers, newest first."""
    request = PageRequest(call, _FILTERS)
    given = request.filters
    command = WorkerList(
        request.size,
        request.after,
        state=queries.choice(given, queries.STATE, queries.WORKER_STATES),
        channel=queries.text(given, queries.CHANNEL),
        queue=queries.text(given, queries.QUEUE),
        has_capacity=queries.flag(given, queries.HAS_CAPACITY),
    )
    return await entities.page(WORKERS, call, request, command)
