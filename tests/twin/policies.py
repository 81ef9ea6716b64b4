"""Policies and queues: their upserts, guards, statistics and listings (semantics 6)."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable
from typing import Any

from engine import commands as c
from engine.errors import Refused
from tests.twin import exceptions, rankings
from tests.twin.model import Job, Policy, Queue, Reply, Router

MODES = ("roundRobin", "longestIdle", "bestWorker")


def check_counters(record: Any, doc: int, rev: int) -> bool:
    """True when doc is 0 and the entity is there; refuses when the caller has read something else."""
    if doc == 0:
        return record is not None
    if record is None or record.doc != doc or (rev >= 0 and record.rev != rev):
        raise Refused("CHANGED", "")
    return False


def unfinished(r: Router, queue_id: str) -> list[Job]:
    return [j for j in r.jobs.values() if j.queue == queue_id and not j.finished]


def policy_upsert(r: Router, a: c.PolicyUpsert) -> Reply:
    key = (a.kind, a.id)
    policy = r.policies.get(key)
    if check_counters(policy, a.doc, a.rev):
        assert policy
        return {"outcome": "exists", "op": r.op, **policy_record(policy)}
    if a.kind == "distribution" and (a.expires_ms < 1 or not 1 <= a.min_offers <= a.max_offers):
        raise Refused("INVALID", "")
    if a.kind == "exception":
        for used in a.uses:
            if ("classification", used) not in r.policies:
                text = f"Provided ClassificationPolicyId: {used} for ReclassifyExceptionAction does not exist"
                raise Refused("INVALID", text)
    if a.kind == "classification" and a.fallback and a.fallback not in r.queues:
        raise Refused("INVALID", f"fallbackQueueId: queue '{a.fallback}' does not exist")
    users = [q for q in r.queues.values() if getattr(q, a.kind, None) == a.id]
    outcome = "updated" if policy else "created"
    if not policy:
        policy = r.policies[key] = Policy(a.kind, a.id, {}, doc=0, rev=0, created=r.number())
    number = policy.changed = r.number()
    before = plan(policy)
    policy.fields = {
        name: getattr(a, name)
        for name in (
            "expires_ms",
            "mode",
            "max_offers",
            "bypass",
            "descending",
            "rules",
            "fallback",
            "pipeline",
            "secret",
        )
    } | {"document": a.document}
    count(r, policy)
    if before and plan(policy) != before:
        for queue in users:
            start_review(r, queue)
    return {"outcome": outcome, "op": number, **policy_record(policy)}


def is_remote(text: str) -> bool:
    """Is any rule of a pipeline answered by others?"""
    pipeline = json.loads(text or "{}")
    attachments = [*pipeline.get("workers", []), *pipeline.get("queues", [])]
    rules = [pipeline.get("priority", {})] + [attachment.get("rule", {}) for attachment in attachments]
    return any(rule.get("kind") in ("function", "webhook") for rule in rules)


def users_of(r: Router, policy_id: str) -> list[Job]:
    """The unfinished jobs of a classification policy."""
    return [j for j in r.jobs.values() if j.classification == policy_id and not j.finished]


def plan(policy: Policy) -> list[object]:
    """What of a policy matters to waiting jobs (nothing of a new one)."""
    names = {
        "distribution": ("mode", "expires_ms", "max_offers", "bypass", "descending", "rules"),
        "exception": ("rules",),
        "classification": (),
    }
    return [policy.fields[name] for name in names[policy.kind]] if policy.fields else []


def count(r: Router, record: Any) -> None:
    record.doc += 1
    record.rev += 1
    record.modified_at = r.now


def start_review(r: Router, queue: Queue) -> None:
    """A policy of the queue has changed."""
    end_review(r, queue)
    rankings.ease(r, queue.id)
    review(r, queue)


def review(r: Router, queue: Queue) -> None:
    """A batch of waiting jobs takes the changed policy; the rest goes on the agenda, due at once."""
    waiting = [j for j in r.queued_in(queue.id) if queue.reviewed is None or j.place > queue.reviewed]
    rows = waiting[: r.settings["batch"]]
    policy = r.distribution(queue.id)
    for job in rows:
        if job.scoring and not rankings.lets_others_score(r, queue.id):
            rankings.withdraw(r, job)
            take_policy(r, job)
        if (job.max_offers, job.bypass) != (policy["max_offers"], policy["bypass"]):
            take_policy(r, job)
        else:
            exceptions.arm(r, job)
    if len(rows) == r.settings["batch"]:
        queue.reviewed = rows[-1].place
        r.agenda[f"review:{queue.id}"] = r.now
    else:
        end_review(r, queue)


def end_review(r: Router, queue: Queue) -> None:
    queue.reviewed = None
    r.agenda.pop(f"review:{queue.id}", None)


def review_due(r: Router, queue_id: str) -> None:
    if queue_id in r.queues:
        r.number()
        review(r, r.queues[queue_id])


def open_due(r: Router, queue_id: str) -> None:
    """A portion of jobs is matched from where the queue was closed on; at its end it opens."""
    if queue_id not in r.closed:
        return
    r.number()
    rows = [j for j in r.queued_in(queue_id) if rankings.holds(r, j)][: r.portion]
    for job in rows:
        if not job.filling and not job.scoring and len(r.open_offers(job)) < job.max_offers:
            take_policy(r, job)
    if len(rows) == r.portion:
        rank, seq = rows[-1].place
        r.closed[queue_id] = (rank, seq + 1)
        r.agenda[f"open:{queue_id}"] = r.now
    else:
        del r.closed[queue_id]


def take_policy(r: Router, job: Job) -> None:
    """The job has changed, and counts with its queue's policies as they are now."""
    r.changed_jobs.add(job.id)
    policy = r.distribution(job.queue)
    job.max_offers, job.bypass = int(str(policy["max_offers"])), bool(policy["bypass"])
    exceptions.arm(r, job)


def policy_record(policy: Policy) -> Reply:
    return {
        "id": policy.id,
        "doc": policy.doc,
        "rev": policy.rev,
        "modified_at": policy.modified_at,
        "created": policy.created,
        "document": policy.fields["document"],
    }


def policy_read(r: Router, a: c.PolicyRead) -> Reply:
    if (a.kind, a.id) not in r.policies:
        raise Refused("NOT_FOUND", "The item was not found.")
    return policy_record(r.policies[a.kind, a.id])


def policy_delete(r: Router, a: c.PolicyDelete) -> Reply:
    if (a.kind, a.id) not in r.policies:
        return {"outcome": "absent", "op": r.op}
    used = any(getattr(q, a.kind, None) == a.id for q in r.queues.values())
    if used or (a.kind == "classification" and users_of(r, a.id)):
        raise Refused("IN_USE", a.kind)
    del r.policies[a.kind, a.id]
    return {"outcome": "deleted", "op": r.number()}


def policy_list(r: Router, a: c.PolicyList) -> Reply:
    rows = [p for p in r.policies.values() if p.kind == a.kind]
    return page(listed(rows), lambda p: True, a.cursor, a.limit, policy_record)


def queue_upsert(r: Router, a: c.QueueUpsert) -> Reply:
    queue = r.queues.get(a.id)
    if check_counters(queue, a.doc, a.rev):
        assert queue
        return {"outcome": "exists", "op": r.op, **queue_record(queue)}
    for kind, policy_id in (("distribution", a.distribution), ("exception", a.exception)):
        if policy_id and (kind, policy_id) not in r.policies:
            raise Refused("INVALID", f"{kind} policy '{policy_id}' does not exist")
    if not a.distribution:
        raise Refused("INVALID", "")
    number = r.number()
    outcome = "updated" if queue else "created"
    if not queue:
        queue = r.queues[a.id] = Queue(a.id, doc=0, rev=0, created=number)
    moved = outcome == "updated" and (queue.distribution, queue.exception) != (a.distribution, a.exception)
    queue.name, queue.labels = a.name, a.labels
    queue.distribution, queue.exception = a.distribution, a.exception
    count(r, queue)
    if moved:
        start_review(r, queue)
    return {"outcome": outcome, "op": number, **queue_record(queue)}


def queue_record(queue: Queue) -> Reply:
    names = ("id", "doc", "rev", "modified_at", "created", "name", "distribution", "exception", "labels")
    return {name: getattr(queue, name) for name in names}


def queue_read(r: Router, a: c.QueueRead) -> Reply:
    if a.id not in r.queues:
        raise Refused("NOT_FOUND", "The item was not found.")
    return queue_record(r.queues[a.id])


def queue_delete(r: Router, a: c.QueueDelete) -> Reply:
    if a.id not in r.queues:
        return {"outcome": "absent", "op": r.op}
    uses = []
    if unfinished(r, a.id):
        uses.append("jobs")
    if any(p.kind == "classification" and p.fields["fallback"] == a.id for p in r.policies.values()):
        uses.append("fallback")
    if any(a.id in w.queue_ids for w in r.workers.values()):
        uses.append("workers")
    if uses:
        raise Refused("IN_USE", " ".join(uses))
    end_review(r, r.queues[a.id])
    rankings.forget(r, r.queues[a.id])
    del r.queues[a.id]
    return {"outcome": "deleted", "op": r.number()}


def queue_list(r: Router, a: c.QueueList) -> Reply:
    return page(listed(r.queues.values()), lambda q: True, a.cursor, a.limit, queue_record)


def statistics(r: Router, a: c.QueueStatistics) -> Reply:
    """Length, longest wait, and for each priority present what a new job of it would wait."""
    queue = r.queues.get(a.id)
    if not queue:
        raise Refused("NOT_FOUND", "The item was not found.")
    waiting = r.queued_in(a.id)
    reply: Reply = {"id": a.id, "rev": queue.rev, "modified_at": queue.modified_at, "length": len(waiting)}
    reply["longest_ms"] = longest_wait(r, waiting)
    for priority in {j.priority for j in waiting}:
        ahead = sum(j.place < (2 - priority, 0) for j in waiting)
        reply[f"wait:{priority}"] = wait_minutes(r, queue, ahead + 1, waiting)
    return reply


def longest_wait(r: Router, waiting: list[Job]) -> int:
    """Milliseconds, -1 for an empty queue; of one rank the first by number has waited longest."""
    firsts: dict[int, int] = {}
    for job in waiting:
        firsts.setdefault(job.place[0], max(0, r.now - int(job.enqueued_at or 0)))
    return max(firsts.values(), default=-1)


def wait_minutes(r: Router, queue: Queue, position: int, waiting: list[Job]) -> int:
    """C15; whole minutes, at least 1."""
    if queue.gap_ms is not None:
        return max(1, math.ceil(position * queue.gap_ms / 60_000))
    return max(1, math.ceil(longest_wait(r, waiting) / 60_000))


# ---- listings ------------------------------------------------------------------------------------


def listed(rows: Iterable[Any]) -> list[Any]:
    """Newest first."""
    return sorted(rows, key=lambda row: -row.created)


def page(
    rows: list[Any],
    fits: Callable[[Any], bool],
    cursor: int,
    limit: int,
    show: Callable[[Any], Reply] = lambda row: row.record(),
) -> Reply:
    """One page of what fits, after the cursor. (The bound of 1,000 rows looked at is never reached here.)"""
    if not 1 <= limit <= 1000:
        raise Refused("BAD_CALL", "")
    left = [row for row in rows if cursor == 0 or row.created < cursor]
    found: list[Reply] = []
    for i, row in enumerate(left):
        if len(found) == limit:
            return {"next": left[i - 1].created, "rows": found}
        if fits(row):
            found.append(show(row))
    return {"next": 0, "rows": found}
