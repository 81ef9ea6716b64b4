"""Queues: what clients send, what they see, and the commands in between."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
from msgspec import UNSET, UnsetType

from api.wire.folding import folder
from api.wire.reading import read
from api.wire.values import (
    Id,
    Labels,
    Reference,
    Text,
    encode,
    labels_text,
    labels_with_id,
    number,
    optional,
    without_id,
)
from engine import model
from engine.commands import QueueUpsert
from engine.model import QueueRecord


class QueueBody(msgspec.Struct, rename="camel"):
    """What clients may set of a queue."""

    distribution_policy_id: Id
    name: Text = ""
    exception_policy_id: Reference = ""
    labels: Labels = {}


fold = folder(QueueBody)


def body(value: Any) -> QueueBody:
    """A whole queue as a client describes it."""
    return read(value, QueueBody)


def command(queue: QueueBody, queue_id: str, doc: int, rev: int) -> QueueUpsert:
    """The command that makes a queue what its body says."""
    return QueueUpsert(
        id=queue_id,
        doc=doc,
        rev=rev,
        name=queue.name,
        distribution=queue.distribution_policy_id,
        exception=queue.exception_policy_id,
        labels=labels_text(without_id(queue.labels), "labels"),
    )


def current(record: QueueRecord) -> dict[str, Any]:
    """The queue as a client would describe it now: what a patch is merged into."""
    queue: dict[str, Any] = msgspec.to_builtins(
        QueueBody(record.distribution, record.name, record.exception, model.members(record.labels))
    )
    return queue


def unchanged(record: QueueRecord, update: QueueUpsert) -> bool:
    """Whether a command would leave the record as it is."""
    return update == QueueUpsert(
        id=record.id,
        doc=update.doc,
        rev=update.rev,
        name=record.name,
        distribution=record.distribution,
        exception=record.exception,
        labels=record.labels,
    )


# ---- what clients see --------------------------------------------------------------------------------------


class _QueueView(msgspec.Struct, rename="camel"):
    id: str
    name: str | UnsetType
    distribution_policy_id: str
    labels: msgspec.Raw
    exception_policy_id: str | UnsetType
    etag: str


class _StatisticsView(msgspec.Struct, rename="camel"):
    queue_id: str
    length: int
    estimated_wait_time_minutes: dict[str, float]
    longest_job_wait_time_minutes: float | UnsetType


_WAIT = "wait:"


def view(record: QueueRecord, tag: str) -> bytes:
    """The queue as clients see it, with its ETag."""
    return encode(
        _QueueView(
            record.id,
            optional(record.name),
            record.distribution,
            labels_with_id(record.id, record.labels),
            optional(record.exception),
            tag,
        )
    )


def statistics(reply: Mapping[str, Any]) -> bytes:
    """The statistics of a queue as clients see them."""
    longest_ms = int(reply["longest_ms"])
    waits = {
        name.removeprefix(_WAIT): number(float(w)) for name, w in reply.items() if name.startswith(_WAIT)
    }
    longest = UNSET if longest_ms < 0 else number(longest_ms / 60_000)
    return encode(_StatisticsView(reply["id"], int(reply["length"]), waits, longest))
