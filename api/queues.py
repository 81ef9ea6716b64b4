"""Queues: upsert, read, delete, list, statistics."""

from __future__ import annotations

from functools import partial
from typing import Any

from api import entities
from api.call import Answer, Call
from api.entities import Entity
from api.merge_patch import merge
from api.paging import PageRequest
from api.wire import queues as wire
from engine.commands import Command, QueueDelete, QueueList, QueueRead, QueueStatistics
from engine.model import QueueRecord


class _Queues(Entity[QueueRecord]):
    kind = "queue"
    fold = staticmethod(wire.fold)
    record = QueueRecord

    def read(self, entity_id: str) -> Command:
        return QueueRead(entity_id)

    def delete(self, entity_id: str) -> Command:
        return QueueDelete(entity_id)

    def create(self, entity_id: str, whole: dict[str, Any], call: Call) -> Command:
        return wire.command(wire.body(whole), entity_id, 0, -1)

    def update(self, record: QueueRecord, patch: dict[str, Any], rev: int, call: Call) -> Command | None:
        update = wire.command(wire.body(merge(wire.current(record), patch)), record.id, record.doc, rev)
        return None if wire.unchanged(record, update) else update

    def view(self, record: QueueRecord, tag: str, call: Call) -> bytes:
        return wire.view(record, tag)


QUEUES = _Queues()

upsert = partial(entities.upsert, QUEUES)
get = partial(entities.get, QUEUES)
delete = partial(entities.delete, QUEUES)


async def page(call: Call) -> Answer:
    """Lists queues, newest first."""
    request = PageRequest(call)
    return await entities.page(QUEUES, call, request, QueueList(request.size, request.after))


async def statistics(call: Call, queue_id: str) -> Answer:
    """Tells length and waits of a queue."""
    reply = await call.run(QueueStatistics(queue_id))
    record = QueueRecord.parse(reply)
    return 200, wire.statistics(reply), entities.version_headers(record, QUEUES.tag(record))
