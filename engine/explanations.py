"""Why a job is not offered: the reasons that the library gives, as structs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

CODES = (
    "not_queued",
    "being_classified",
    "scheduled",
    "suspended",
    "job_set_aside",
    "maximum_of_offers",
    "not_registered",
    "worker_set_aside",
    "not_on_queue",
    "channel_missing",
    "selector_failed",
    "already_offered",
    "declined",
    "capacity_full",
    "channel_maximum",
    "offer_limit",
    "outranked",
    "behind_jobs",
)
"""All codes of reasons; their details stand at ``Reason``, their sentences in ``api/sentences.py``."""


class OpenOffer(msgspec.Struct, frozen=True):
    """An open offer of the job that is explained; expires_at: epoch ms."""

    worker: str
    offer: str
    expires_at: int


class Holding(msgspec.Struct, frozen=True):
    """What uses a worker's room. kind: offer or assignment."""

    job: str
    kind: str
    cost: int


class Rank(msgspec.Struct, frozen=True):
    """Where a worker stands in the mode of a queue; available_at: epoch ms."""

    used: int | None = None
    capacity: int | None = None
    score: float | None = None
    available_at: int | None = None


class Reason(msgspec.Struct, kw_only=True):
    """One reason; about: job or worker. Lists hold the first few, times are epoch ms, labels JSON texts."""

    about: str
    code: str
    # of the job
    status: str = ""
    worker: str = ""
    at: int | None = None
    open: int | None = None
    maximum: int | None = None
    offers: list[OpenOffer] = []
    ahead: int | None = None
    jobs: list[str] = []
    # of the worker
    state: str = ""
    queue: str = ""
    channel: str = ""
    key: str = ""
    operator: str = ""
    value: str = ""
    has: str = ""
    expires_at: int | None = None
    offer: str = ""
    until: int | None = None
    needed: int | None = None
    free: int | None = None
    capacity: int | None = None
    limit: int | None = None
    held: list[Holding] = []
    holds: int | None = None
    # outranked
    rule: str = ""
    asked: list[str] = []
    cursor: str = ""
    rank: Rank | None = None
    other: Rank | None = None


class JobExplanation(msgspec.Struct, kw_only=True):
    """Why a job is not offered: to anybody, and to one worker."""

    job: str
    status: str
    queue: str = ""
    channel: str = ""
    position: int | None = None
    length: int | None = None
    worker: str = ""
    state: str = ""
    reasons: list[Reason] = []

    def about(self, what: str) -> list[Reason]:
        """The reasons of the job, or of the worker, in their order."""
        return [reason for reason in self.reasons if reason.about == what]


def job_explanation(reply: Mapping[str, Any]) -> JobExplanation:
    """The reply of JobExplain."""
    found = {**reply, "reasons": [_reason(row) for row in reply["rows"]]}
    return msgspec.convert(found, JobExplanation, strict=False)


def _reason(row: Mapping[str, Any]) -> dict[str, Any]:
    """A row as the members of a reason: lists of parts and ranks put together."""
    found = dict(row)
    if "offers" in row:
        found["offers"] = [
            dict(zip(OpenOffer.__struct_fields__, part, strict=True)) for part in _threes(row["offers"])
        ]
    if "held" in row:
        found["held"] = [
            dict(zip(Holding.__struct_fields__, part, strict=True)) for part in _threes(row["held"])
        ]
    if row["code"] == "outranked":
        names = Rank.__struct_fields__
        found["rank"] = {name: row[name] for name in names if name in row}
        found["other"] = {name: row[f"other_{name}"] for name in names if f"other_{name}" in row}
    return found


def _threes(flat: list[Any]) -> Iterator[tuple[Any, ...]]:
    return zip(flat[::3], flat[1::3], flat[2::3], strict=True)
