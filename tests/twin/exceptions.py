"""Exception policies: the rules that fire before a job joins its queue and while it waits (semantics 9)."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from tests.twin import classification, events, jobs, selectors
from tests.twin.model import Job, Router
from tests.twin.texts import members

RULES_ON_THE_WAY = 100
LABELS = 100
WORK = 100
"""What the actions of rules may do on one way, in one due row, or in a batch of them."""


@dataclass
class Rule:
    policy: str
    id: str
    trigger: str
    threshold: int
    actions: list[dict[str, Any]]

    @property
    def name(self) -> tuple[str, str]:
        return (self.policy, self.id)


def rules_of(r: Router, queue_id: str, trigger: str) -> list[Rule]:
    """The rules of a queue with this trigger: by threshold, then as they stand in its policy."""
    policy = r.queues[queue_id].exception
    text = str(r.policies["exception", policy].fields["rules"]) if policy else ""
    rules = [Rule(policy, **row) for row in json.loads(text or "[]")]
    return sorted((rule for rule in rules if rule.trigger == trigger), key=lambda rule: rule.threshold)


def admit(r: Router, job: Job) -> bool:
    """What happens before a job joins: each rule that the length meets fires once on the way in (C1)."""
    fired, before = set(job.way), r.ruled

    def meets(rule: Rule) -> bool:
        ahead = sum(j is not job for j in r.queued_in(job.queue))
        return ahead >= rule.threshold and rule.name not in fired

    while (
        len(fired) < RULES_ON_THE_WAY
        and r.ruled - before < WORK
        and (rule := next((x for x in rules_of(r, job.queue, "length") if meets(x)), None))
    ):
        fired.add(rule.name)
        if not fire(r, job, rule):
            if job.asked:
                job.way = fired
            return False
    return True


def arm(r: Router, job: Job) -> None:
    """The next rule of a waiting job stands on the agenda."""
    r.agenda.pop(f"exception:{job.id}", None)
    if job.status == "queued":
        left = [rule for rule in rules_of(r, job.queue, "wait") if rule.name not in job.fired]
        if left:
            r.agenda[f"exception:{job.id}"] = job.entered_at + left[0].threshold


def due(r: Router, job_id: str) -> None:
    """It has waited so long that a rule fires, perhaps several; those of its old queue stop when it moves."""
    job = r.jobs.get(job_id)
    if not job or job.status != "queued":
        return
    r.number()
    queue, before = job.queue, r.ruled
    for rule in rules_of(r, queue, "wait"):
        if rule.name in job.fired or job.entered_at + rule.threshold > r.now:
            continue
        if r.ruled - before >= WORK:
            break  # what is left is due at once again
        job.fired.add(rule.name)
        goes_on, moved = fire(r, job, rule), job.queue != queue
        if job.asked and not moved:
            job.stays = True
        if not goes_on:
            return
        if any(action["kind"] != "cancel" for action in rule.actions):
            jobs.enqueue(r, job, stay=moved)
        if moved:
            return
    jobs.take_policy(r, job)


def fire(r: Router, job: Job, rule: Rule) -> bool:
    """Its actions in their order, until one ends the job.

    False then, or when a classification fails, or waits for the answers of others.
    """
    events.job_exception_triggered(r, job, rule.id)
    goes_on = all(act(r, job, action) for action in rule.actions)
    size = len(f"{job.labels}{job.selectors}{job.attached}".encode())
    r.ruled += (1 + len(rule.actions)) * (1 + size // 512)
    return goes_on and not job.asked


def act(r: Router, job: Job, action: dict[str, Any]) -> bool:
    if action["kind"] == "cancel":
        disposition = action.get("disposition") or "Cancelled"
        jobs.cancel_now(r, job, disposition, action.get("note", ""))
        return False
    if action["kind"] == "change":
        change(r, job, action)
        return True
    return classify(r, job, action)


def change(r: Router, job: Job, action: dict[str, Any]) -> None:
    """Sets what is given (C2); another priority alone leaves the offers."""
    queue = r.queues.get(action.get("queue", ""), r.queues[job.queue])
    chosen = job.selectors
    if given := selectors.parse(action.get("selectors", "")):
        added_at = r.now if job.seq else None
        chosen = selectors.text_of(selectors.merged(selectors.parse(job.selectors), given, added_at))
    if job.status == "queued" and (queue.id, chosen) != (job.queue, job.selectors):
        jobs.leave_queue(r, job)
    job.queue, job.selectors = queue.id, chosen
    job.priority = action.get("priority", job.priority)
    job.doc += 1
    jobs.revise(r, job)


def classify(r: Router, job: Job, action: dict[str, Any]) -> bool:
    """Labels are added, and the policy is applied again: that of the action, unless it is gone."""
    added = members(job.labels)
    for key, value in members(action.get("labels", "")).items():
        if key in added or len(added) < LABELS:
            added[key] = value
    labels = ",\n".join(f"{key}:{added[key]}" for key in sorted(added, key=json.loads))
    policy = action.get("classification", "")
    found = r.policies.get(("classification", policy))
    if not found:
        policy = job.classification
    if job.status == "queued" and (policy or labels != job.labels):
        jobs.leave_queue(r, job)
    if policy and job.status != "pendingClassification":
        jobs.move(r, job, "pendingClassification")
    job.labels, job.classification = labels, policy
    job.doc += 1
    jobs.revise(r, job)
    if not policy:
        return True
    decided = classification.decide(r, job, policy, labels, job.queue)
    return classification.apply(r, job, decided) or job.asked > 0
