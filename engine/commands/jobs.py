"""Jobs: their life but for offers and assignments, and why they are not offered."""

from __future__ import annotations

from typing import Any

import msgspec

from engine.commands.base import Command


class _JobFields(Command, frozen=True):
    """What clients write of a job."""

    documents = ("labels", "tags", "notes", "selectors")

    id: str
    channel: str = ""
    queue: str = ""
    classification: str = ""
    priority: int = 1
    reference: str = ""
    disposition: str = ""
    mode: str = "queueAndMatch"
    schedule_at: int = 0
    labels: str = ""
    tags: str = ""
    notes: str = ""
    selectors: str = ""


class _JobWrite(_JobFields, frozen=True):
    doc: int = 0
    rev: int = -1
    request_id: str = ""


class JobCreate(_JobWrite, frozen=True):
    """Create a job (doc = 0), or give a closed or cancelled one a new life (doc = its present counter)."""

    function = "jr_job_create"
    creates = True

    def completed(self, reply: dict[str, Any]) -> dict[str, Any]:
        if reply["outcome"] != "created":
            return reply
        given = {name: value for name in _SHOWN if (value := getattr(self, name)) != _DEFAULTS[name]}
        made = {"doc": 1, "rev": 1, "created": reply["op"], "modified_at": reply["created_at"]}
        return {"id": self.id, **given, **made, **reply}


_DEFAULTS = {field.name: field.default for field in msgspec.structs.fields(JobCreate)}
_SHOWN = sorted(_DEFAULTS.keys() - {"id", "doc", "rev", "notes", "request_id"})


class JobUpdate(_JobWrite, frozen=True):
    """Replace all client-written fields of a job whose ``doc`` counter is still the given one."""

    function = "jr_job_update"


class JobPreview(_JobFields, frozen=True):
    """What would become of a new job; slices of its queue as JobExplain."""

    function = "jr_job_preview"
    write = False

    cursor: str = ""
    sampled: int = 0

    @classmethod
    def of(cls, create: JobCreate) -> JobPreview:
        """The preview of what a command would create."""
        return cls(**{name: getattr(create, name) for name in _JobFields.__struct_fields__})


class JobRead(Command, frozen=True):
    function = "jr_job_read"
    write = False

    id: str


class JobDelete(Command, frozen=True):
    function = "jr_job_delete"

    id: str


class JobList(Command, frozen=True):
    """status "" = all, "active" = the active states. Scheduled times in epoch ms, inclusive; 0 = none."""

    function = "jr_job_list"
    write = False

    limit: int = 100
    cursor: int = 0
    status: str = ""
    queue: str = ""
    channel: str = ""
    classification: str = ""
    scheduled_before: int = 0
    scheduled_after: int = 0


class JobCancel(Command, frozen=True):
    function = "jr_job_cancel"
    documents = ("note",)

    id: str
    disposition: str = ""
    request_id: str = ""
    note: str = ""


class JobReclassify(Command, frozen=True):
    function = "jr_job_reclassify"

    id: str
    request_id: str = ""


class JobCandidates(Command, frozen=True):
    """Some of the workers that others are asked to score for a job. ``after``: next of the last call."""

    function = "jr_job_candidates"
    write = False

    id: str
    asked: int
    after: str = ""


class JobPosition(Command, frozen=True):
    function = "jr_job_position"
    write = False

    id: str


class JobExplain(Command, frozen=True):
    """Why a job is not offered: to one worker, or (worker_id "") a slice of its whole queue.

    cursor: the ``next`` of the slice before; sampled: workers that those before have told of.
    ``engine.explanations`` puts slices together.
    """

    function = "jr_job_explain"
    write = False

    job_id: str
    worker_id: str = ""
    cursor: str = ""
    sampled: int = 0


class JobHistory(Command, frozen=True):
    """Events of a job before the place ``before`` ("" = to the present), newest first."""

    function = "jr_job_history"
    write = False

    id: str
    before: str = ""
    limit: int = 100
