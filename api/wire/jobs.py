"""Jobs: what clients send, what they see, and the commands in between."""

from __future__ import annotations

from typing import Annotated, Any, TypeVar

import msgspec
from msgspec import UNSET, Meta, UnsetType

from api.errors import BadRequest
from api.wire.kinds import patch_folder
from api.wire.reading import read
from api.wire.values import (
    MAX_ENTRIES,
    Id,
    Labels,
    Moment,
    Priority,
    Reference,
    Text,
    WorkerSelector,
    WorkerSelectorView,
    encode,
    labels_raw,
    labels_text,
    milliseconds,
    optional,
    timestamp,
    timestamp_or_none,
)
from engine import model
from engine.commands import JobCreate, JobUpdate
from engine.model import JobRecord

C = TypeVar("C", JobCreate, JobUpdate)


class _Mode(msgspec.Struct, tag_field="kind", rename="camel"):
    pass


class QueueAndMatch(_Mode, tag="queueAndMatch"):
    """Matched as soon as it is queued."""


class Suspend(_Mode, tag="suspend"):
    """Not matched until another mode is set."""


class ScheduleAndSuspend(_Mode, tag="scheduleAndSuspend"):
    """Not matched until another mode is set, and not to be activated before a time."""

    schedule_at: Moment


MatchingMode = QueueAndMatch | Suspend | ScheduleAndSuspend


class Note(msgspec.Struct, rename="camel"):
    """A note as a client sends it."""

    message: str
    added_at: Moment | UnsetType = UNSET


class JobBody(msgspec.Struct, rename="camel"):
    """What clients may set of a job."""

    channel_id: Id
    channel_reference: Text = ""
    classification_policy_id: Reference = ""
    queue_id: Reference = ""
    priority: Priority = 1
    disposition_code: Text = ""
    requested_worker_selectors: Annotated[list[WorkerSelector], Meta(max_length=MAX_ENTRIES)] = []
    labels: Labels = {}
    tags: Labels = {}
    notes: list[Note] = []
    matching_mode: MatchingMode = msgspec.field(default_factory=QueueAndMatch)


fold = patch_folder(JobBody)


def body(value: Any) -> JobBody:
    """A whole job as a client describes it."""
    job = read(value, JobBody)
    if not job.queue_id and not job.classification_policy_id:
        raise BadRequest("The property 'queueId' is required.")
    return job


def command(job: JobBody, kind: type[C], job_id: str, doc: int, rev: int, request_id: str) -> C:
    """The command that makes a job what its body says."""
    mode = job.matching_mode
    return kind(
        id=job_id,
        doc=doc,
        rev=rev,
        channel=job.channel_id,
        queue=job.queue_id,
        classification=job.classification_policy_id,
        priority=job.priority,
        reference=job.channel_reference,
        disposition=job.disposition_code,
        mode=_word(mode),
        # a time without a meaning of its own (that of the year 1) has passed, as any other past one
        schedule_at=(milliseconds(mode.schedule_at) or 1) if isinstance(mode, ScheduleAndSuspend) else 0,
        request_id=request_id,
        labels=labels_text(job.labels, "labels"),
        tags=labels_text(job.tags, "tags"),
        notes=model.notes_text(model.Note(n.message, milliseconds(n.added_at) or None) for n in job.notes),
        selectors=model.selectors_text(s.stored() for s in job.requested_worker_selectors),
    )


def current(record: JobRecord) -> dict[str, Any]:
    """The job as a client would describe it now: what a patch is merged into.

    A finished job keeps neither its notes nor its disposition in the new life that an upsert gives it.
    """
    job: dict[str, Any] = msgspec.to_builtins(
        JobBody(
            record.channel,
            record.reference,
            record.classification,
            record.queue,
            record.priority,
            "" if record.finished else record.disposition,
            [WorkerSelector.of(stored) for stored in model.selectors(record.selectors)],
            model.members(record.labels),
            model.members(record.tags),
            matching_mode=QueueAndMatch(),
        )
    )
    job |= msgspec.to_builtins(_Dated([] if record.finished else _notes(record), _mode(record)))
    return job


def unchanged(record: JobRecord, update: JobUpdate) -> bool:
    """Whether a command would leave the record as it is."""
    return update == JobUpdate(
        id=record.id,
        doc=update.doc,
        rev=update.rev,
        channel=record.channel,
        queue=record.queue,
        classification=record.classification,
        priority=record.priority,
        reference=record.reference,
        disposition=record.disposition,
        mode=record.mode,
        schedule_at=record.schedule_at,
        request_id=update.request_id,
        labels=record.labels,
        tags=record.tags,
        notes=record.notes,
        selectors=model.undated_selectors(record.selectors),
    )


# ---- what clients see --------------------------------------------------------------------------------------


class _NoteView(msgspec.Struct, rename="camel"):
    message: str
    added_at: str | UnsetType


class _ModeView(msgspec.Struct, rename="camel"):
    kind: str
    schedule_at: str | UnsetType


class _Dated(msgspec.Struct, rename="camel"):
    """The members with times in them; a client sends them as it sees them."""

    notes: list[_NoteView]
    matching_mode: _ModeView


class _AssignmentView(msgspec.Struct, rename="camel"):
    assignment_id: str
    worker_id: str
    assigned_at: str
    completed_at: str | UnsetType
    closed_at: str | UnsetType


class _JobView(msgspec.Struct, rename="camel"):
    id: str
    channel_reference: str | UnsetType
    status: str
    enqueued_at: str | UnsetType
    channel_id: str
    classification_policy_id: str | UnsetType
    queue_id: str | UnsetType
    priority: int
    disposition_code: str | UnsetType
    requested_worker_selectors: list[WorkerSelectorView]
    attached_worker_selectors: list[WorkerSelectorView]
    labels: msgspec.Raw
    assignments: dict[str, _AssignmentView]
    tags: msgspec.Raw
    notes: list[_NoteView]
    matching_mode: _ModeView
    scheduled_at: str | UnsetType
    etag: str


def view(record: JobRecord, tag: str, now_ms: int) -> bytes:
    """The job as clients see it at a time, with its ETag."""
    return encode(
        _JobView(
            record.id,
            optional(record.reference),
            record.status,
            timestamp_or_none(record.enqueued_at),
            record.channel,
            optional(record.classification),
            optional(record.queue),
            record.priority,
            optional(record.disposition),
            _selectors(record.selectors, record.enqueued_at, now_ms),
            _selectors(record.attached, record.enqueued_at, now_ms),
            labels_raw(record.labels),
            _assignments(record),
            labels_raw(record.tags),
            _notes(record),
            _mode(record),
            timestamp_or_none(record.scheduled_at),
            tag,
        )
    )


def _selectors(text: str, enqueued_at: int | None, now_ms: int) -> list[WorkerSelectorView]:
    return [WorkerSelectorView.of(stored, enqueued_at, now_ms) for stored in model.selectors(text)]


def _assignments(record: JobRecord) -> dict[str, _AssignmentView]:
    if not record.assignment:
        return {}
    return {
        record.assignment: _AssignmentView(
            record.assignment,
            record.worker,
            timestamp(record.assigned_at),
            timestamp_or_none(record.completed_at),
            timestamp_or_none(record.closed_at),
        )
    }


def _notes(record: JobRecord) -> list[_NoteView]:
    return [_NoteView(note.message, timestamp_or_none(note.added_ms)) for note in model.notes(record.notes)]


def _mode(record: JobRecord) -> _ModeView:
    scheduled = record.mode == _word(ScheduleAndSuspend)
    return _ModeView(record.mode, timestamp_or_none(record.schedule_at if scheduled else 0))


def _word(mode: MatchingMode | type[MatchingMode]) -> str:
    return str(mode.__struct_config__.tag)
