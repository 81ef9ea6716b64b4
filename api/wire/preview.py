"""Previews: what would become of a job, as clients see it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import msgspec
from msgspec import UNSET, UnsetType

from api.wire import explanations
from api.wire.values import WorkerSelectorView, encode, optional
from engine import model
from engine.explanations import JobExplanation

_CODES = {"rule": "RuleFailed", "queue": "QueueNotFound"}
_PLACES = {"priority": "prioritizationRule", "scoring": "scoringRule"}
_LISTS = {"worker": "workerSelectorAttachments", "queue": "queueSelectorAttachments"}
_IN_LIST = re.compile(r"(worker|queue)\.([0-9]+)")


class Failure(msgspec.Struct, rename="camel"):
    """Why the classification would fail."""

    code: str
    message: str
    target: str | UnsetType


class Fired(msgspec.Struct, rename="camel"):
    """A rule of an exception policy that would fire before the job joins its queue."""

    rule_id: str
    exception_policy_id: str


class Offered(msgspec.Struct, rename="camel"):
    """A worker that the job would be offered to.

    ``considered``: how many were looked at until it was certain; ``passed``: those passed over, by reason.
    """

    worker_id: str
    considered: int
    passed: dict[str, int] | UnsetType
    score: float | UnsetType


class Preview(msgspec.Struct, rename="camel"):
    """What would become of a job if it were created now. ``pending``: rules that others would be asked."""

    status: str
    queue_id: str | UnsetType
    queue_selected: bool
    priority: int
    requested_worker_selectors: list[WorkerSelectorView]
    attached_worker_selectors: list[WorkerSelectorView]
    labels: msgspec.Raw
    disposition_code: str | UnsetType
    classified_when_activated: bool
    failure: Failure | UnsetType
    pending: list[str]
    exception_rules: list[Fired]
    position: int | UnsetType
    queue_length: int | UnsetType
    estimated_wait_time_minutes: int | UnsetType
    mode: str | UnsetType
    max_concurrent_offers: int | UnsetType
    offers: list[Offered]
    explanation: explanations.Job


def view(reply: Mapping[str, Any], why: JobExplanation, now_ms: int) -> bytes:
    """The reply to a preview, with the explanation for the workers of the queue."""
    rows = reply["rows"]
    offers = [_offered(row) for row in rows if row["about"] == "offer"]
    # those that the job would be offered to are told as such
    asked = {offer.worker_id for offer in offers}
    why.sample = [one for one in why.sample if one.worker not in asked]
    return encode(
        Preview(
            status=reply["status"],
            queue_id=optional(reply.get("queue", "")),
            queue_selected="selected" in reply,
            priority=int(reply.get("priority", 1)),
            requested_worker_selectors=_selectors(reply, "selectors", now_ms),
            attached_worker_selectors=_selectors(reply, "attached", now_ms),
            labels=msgspec.Raw(model.members_object(reply.get("labels", ""))),
            disposition_code=optional(reply.get("disposition", "")),
            classified_when_activated="unclassified" in reply,
            failure=_failure(reply),
            pending=[_target(place) for place in reply["pending"]],
            exception_rules=[Fired(row["rule"], row["policy"]) for row in rows if row["about"] == "rule"],
            position=_number(reply, "position"),
            queue_length=_number(reply, "length"),
            estimated_wait_time_minutes=_number(reply, "wait_minutes"),
            mode=optional(reply.get("mode", "")),
            max_concurrent_offers=_number(reply, "maximum"),
            offers=offers,
            explanation=explanations.job_view(why),
        )
    )


def _selectors(reply: Mapping[str, Any], name: str, now_ms: int) -> list[WorkerSelectorView]:
    enqueued_at = int(reply["enqueued_at"]) if "enqueued_at" in reply else None
    return [
        WorkerSelectorView.of(stored, enqueued_at, now_ms) for stored in model.selectors(reply.get(name, ""))
    ]


def _failure(reply: Mapping[str, Any]) -> Failure | UnsetType:
    if "failed" not in reply:
        return UNSET
    target = _target(reply["place"]) if "place" in reply else UNSET
    return Failure(_CODES[reply["failed"]], reply["message"], target)


def _target(place: str) -> str:
    """The place of a rule in its policy, as events name it."""
    found = _IN_LIST.fullmatch(place)
    return f"{_LISTS[found[1]]}[{found[2]}]" if found else _PLACES[place]


def _offered(row: Mapping[str, Any]) -> Offered:
    passed = msgspec.json.decode(f"{{{row['passed']}}}") if "passed" in row else UNSET
    score = float(row["score"]) if "score" in row else UNSET
    return Offered(row["worker"], int(row["considered"]), passed, score)


def _number(reply: Mapping[str, Any], name: str) -> int | UnsetType:
    return int(reply[name]) if name in reply else UNSET
