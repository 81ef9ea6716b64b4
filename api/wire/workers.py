"""Workers: what clients send, what they see, and the commands in between."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from msgspec import UNSET, Meta, UnsetType

from api.errors import BadRequest
from api.wire.folding import folder
from api.wire.reading import read
from api.wire.values import (
    MAX_ENTRIES,
    MAX_QUEUES,
    Amount,
    Count,
    Id,
    Labels,
    encode,
    labels_raw,
    labels_text,
    labels_with_id,
    number,
    timestamp,
    without_id,
)
from engine import model
from engine.commands import WorkerUpsert
from engine.model import WorkerRecord


class Channel(msgspec.Struct, rename="camel"):
    """A channel that a worker serves."""

    channel_id: Id
    capacity_cost_per_job: Amount
    max_number_of_jobs: Count | UnsetType = UNSET


class WorkerBody(msgspec.Struct, rename="camel"):
    """What clients may set of a worker."""

    capacity: Amount
    queues: Annotated[list[Id], Meta(max_length=MAX_QUEUES)] = []
    labels: Labels = {}
    tags: Labels = {}
    channels: Annotated[list[Channel], Meta(max_length=MAX_ENTRIES)] = []
    available_for_offers: bool = False
    max_concurrent_offers: Count | UnsetType = UNSET


fold = folder(WorkerBody)

_LIMIT = msgspec.structs.fields(WorkerBody)[-1].encode_name


def without_limit(patch: dict[str, Any]) -> dict[str, Any]:
    """A folded patch as the older version of the interface knows it: without the limit of offers."""
    patch.pop(_LIMIT, None)
    return patch


def body(value: Any) -> WorkerBody:
    """A whole worker as a client describes it."""
    worker = read(value, WorkerBody)
    ids = [channel.channel_id for channel in worker.channels]
    if len(set(ids)) < len(ids):
        raise BadRequest("The property 'channels' is not valid: a channel is listed twice.")
    return worker


def command(worker: WorkerBody, worker_id: str, doc: int, rev: int) -> WorkerUpsert:
    """The command that makes a worker what its body says."""
    return WorkerUpsert(
        id=worker_id,
        doc=doc,
        rev=rev,
        capacity=worker.capacity,
        available=worker.available_for_offers,
        max_offers=0 if worker.max_concurrent_offers is UNSET else worker.max_concurrent_offers,
        queues=model.strings_text(worker.queues),
        channels=model.channels_text(
            model.Channel(c.channel_id, c.capacity_cost_per_job, c.max_number_of_jobs or None)
            for c in worker.channels
        ),
        labels=labels_text(without_id(worker.labels), "labels"),
        tags=labels_text(worker.tags, "tags"),
    )


def current(record: WorkerRecord) -> dict[str, Any]:
    """The worker as a client would describe it now: what a patch is merged into."""
    worker: dict[str, Any] = msgspec.to_builtins(
        WorkerBody(
            record.capacity,
            model.strings(record.queues),
            model.members(record.labels),
            model.members(record.tags),
            _channels(record),
            record.available,
            record.max_offers or UNSET,
        )
    )
    return worker


def unchanged(record: WorkerRecord, update: WorkerUpsert) -> bool:
    """Whether a command would leave the record as it is."""
    return update == WorkerUpsert(
        id=record.id,
        doc=update.doc,
        rev=update.rev,
        capacity=record.capacity,
        available=record.available,
        max_offers=record.max_offers,
        queues=record.queues,
        channels=record.channels,
        labels=record.labels,
        tags=record.tags,
    )


# ---- what clients see --------------------------------------------------------------------------------------


class _OfferView(msgspec.Struct, rename="camel"):
    offer_id: str
    job_id: str
    capacity_cost: int
    offered_at: str
    expires_at: str


class _AssignmentView(msgspec.Struct, rename="camel"):
    assignment_id: str
    job_id: str
    capacity_cost: int
    assigned_at: str


class _WorkerView(msgspec.Struct, rename="camel"):
    id: str
    state: str
    queues: msgspec.Raw
    capacity: int
    labels: msgspec.Raw
    tags: msgspec.Raw
    channels: list[Channel]
    offers: list[_OfferView]
    assigned_jobs: list[_AssignmentView]
    load_ratio: float
    available_for_offers: bool
    max_concurrent_offers: int | UnsetType
    etag: str


def view(record: WorkerRecord, tag: str, with_limit: bool) -> bytes:
    """The worker as clients see it; only the newer version of the interface knows its limit of offers."""
    return encode(
        _WorkerView(
            record.id,
            record.state,
            msgspec.Raw(model.strings_array(record.queues)),
            record.capacity,
            labels_with_id(record.id, record.labels),
            labels_raw(record.tags),
            _channels(record),
            [
                _OfferView(o.id, o.job, o.cost, timestamp(o.offered_at), timestamp(o.expires_at))
                for o in record.offers
            ],
            [_AssignmentView(a.id, a.job, a.cost, timestamp(a.assigned_at)) for a in record.assignments],
            number(record.load_ratio),
            record.available,
            (record.max_offers or UNSET) if with_limit else UNSET,
            tag,
        )
    )


def _channels(record: WorkerRecord) -> list[Channel]:
    return [
        Channel(c.id, c.cost, UNSET if c.most is None else c.most) for c in model.channels(record.channels)
    ]
