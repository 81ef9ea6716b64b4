"""A preview tells the truth: what it says of a job is what becomes of it when the job is then created."""

from __future__ import annotations

from typing import Any

from engine.errors import Refused
from tests.twin.model import Job, Reply, Router

FAILURES = {"RuleFailed": "rule", "QueueNotFound": "queue"}


def is_due(r: Router, now: int) -> bool:
    """Would anything else happen first?"""
    return any(due <= now for due in r.agenda.values())


def problems(told: Reply | Refused, created: Reply | Refused, job: Job | None, r: Router) -> list[str]:
    """Where the preview was wrong; ``job`` is what was created."""
    if not isinstance(created, Refused) and created["outcome"] == "exists":
        return []
    if isinstance(told, Refused) or isinstance(created, Refused):
        codes = [x.code if isinstance(x, Refused) else "" for x in (told, created)]
        # a preview knows no counters, and nobody to revive
        return (
            [] if codes[0] == codes[1] or codes[1] == "CHANGED" else [f"preview {told!r}, then {created!r}"]
        )
    assert job
    rows: Any = told["rows"]
    said = {
        "status": told["status"],
        "queue": told.get("queue", ""),
        "priority": int(str(told.get("priority", 1))),
        "selectors": told.get("selectors", ""),
        "attached": told.get("attached", ""),
        "labels": told.get("labels", ""),
        "disposition": told.get("disposition", ""),
        "asks": told["pending"] != [],
        "offers": [row["worker"] for row in rows if row["about"] == "offer"],
        "rules": [row["rule"] for row in rows if row["about"] == "rule"],
        "failed": [told.get("failed"), told.get("message")],
    }
    is_so = {
        **{name: getattr(job, name) for name in ("status", "queue", "priority", "selectors", "attached")},
        "labels": job.labels,
        "disposition": job.disposition,
        # or it would ask, but so many are asked about in its queue that it has to wait
        "asks": job.asked > 0 or job.scoring > 0 or r.closed.get(job.queue) == job.place,
        "offers": [offer.worker for offer in r.open_offers(job)],
        **happened(r, job),
    }
    wrong = [
        f"preview {name}: {said[name]!r}, then {is_so[name]!r}" for name in said if said[name] != is_so[name]
    ]
    if job.status == "queued":
        waiting = r.queued_in(job.queue)
        place = (told["position"], told["length"])
        if place != (waiting.index(job) + 1, len(waiting)):
            wrong.append(f"preview place {place}, then {waiting.index(job) + 1} of {len(waiting)}")
    return wrong


def happened(r: Router, job: Job) -> Reply:
    """The rules that fired on its way in, and why its classification has failed."""
    events = [event for event in r.entries[-1].events if event.job is job]
    errors: Any = [event.data.get("errors") for event in events]
    failed = next((error[0] for error in errors if error), None)
    return {
        "rules": [event.data["ruleKey"] for event in events if event.kind.endswith("ExceptionTriggered")],
        "failed": [FAILURES[failed["code"]], failed["message"]] if failed else [None, None],
    }
