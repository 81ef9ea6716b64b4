"""Classification policies: what they find for a job, step by step (semantics 8.4, 8.5; C17 to C20, C24)."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from engine import commands as c
from engine.errors import Refused
from tests.expressions import twin as expressions
from tests.expressions.evaluator import Error
from tests.twin import events, jobs, selectors
from tests.twin.expressions import tree_of
from tests.twin.model import Job, Reply, Router
from tests.twin.policies import is_remote
from tests.twin.selectors import Selector
from tests.twin.texts import members, scalar, scalars

Answers = dict[str, dict[str, str]]
NO_NUMBER = "the rule does not give a number"
NO_SELECTORS = "the rule does not give a list of selectors"
SELECTORS = 100
TOO_MANY = f"more than {SELECTORS} selectors are attached"
NO_QUEUE = "no queue fits, the job has none, and the policy has no fallback queue"


@dataclass
class Found:
    """What a policy finds: a priority perhaps, attached selectors, a queue, which it may have selected."""

    priority: int | None
    attached: list[Selector]
    queue: str
    selected: str


@dataclass
class Failed(Exception):
    code: str
    message: str
    target: str = ""


class Asks:
    """Others have to be asked first."""


Outcome = Found | Failed | Asks


# ---- rules -------------------------------------------------------------------------------------------------


def value_of(rule: dict[str, str], labels: str) -> Any:
    """A number, text, boolean or None; raises Failed."""
    if rule["kind"] == "failed":
        raise Failed("RuleFailed", rule["text"])
    if rule["kind"] == "value":
        found = scalar(rule["text"])
        return found[1] if found else None
    given = {json.loads(key): json.loads(value) for key, value in members(labels).items()}
    value = expressions.value_of(tree_of(rule["text"]), {"job": given})
    if isinstance(value, Error):
        raise Failed("RuleFailed", value.reason)
    return value


def number(rule: dict[str, str], labels: str) -> float:
    value = None if rule["kind"] in ("labels", "selectors") else value_of(rule, labels)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise Failed("RuleFailed", NO_NUMBER)
    return value


def holds(rule: dict[str, str], labels: str) -> bool:
    if rule["kind"] == "selectors":
        return False
    return labels != "" if rule["kind"] == "labels" else value_of(rule, labels) is True


# ---- attachments -------------------------------------------------------------------------------------------


def attached(attachment: dict[str, Any], labels: str, dice: Iterator[float]) -> str:
    """The selectors of one attachment, as their document."""
    kind = attachment["kind"]
    if kind == "always":
        return str(attachment["selectors"])
    if kind == "when":
        return str(attachment["selectors"]) if holds(attachment["rule"], labels) else ""
    if kind == "label":
        value = members(labels).get(attachment["key"])
        seconds = attachment.get("seconds", "")
        return f"{attachment['key']}\t{attachment['operator']}\t{value}\t{seconds}\t0\t" if value else ""
    if kind == "answer":
        rule = attachment["rule"]
        if rule["kind"] == "labels":
            return "\n".join(f"{key}\t=\t{value}\t\t0\t" for key, value in members(labels).items())
        if rule["kind"] == "selectors":
            return rule["text"]
        if rule["kind"] == "failed":
            raise Failed("RuleFailed", rule["text"])
        if rule["kind"] == "expression" and value_of(rule, labels) is None:
            return ""
        raise Failed("RuleFailed", NO_SELECTORS)
    point = next(dice) * sum(share["weight"] for share in attachment["shares"])
    sums = 0.0
    for share in attachment["shares"]:
        sums += share["weight"]
        if point < sums:
            break
    return str(share["selectors"])


def all_attached(
    attachments: list[dict[str, Any]], labels: str, dice: Iterator[float], name: str
) -> list[Selector]:
    found = []
    for i, attachment in enumerate(attachments):
        try:
            found += selectors.parse(attached(attachment, labels, dice))
        except Failed as failed:
            raise replace(failed, target=f"{name}SelectorAttachments[{i}]") from None
        if len(found) > SELECTORS:
            raise Failed("RuleFailed", TOO_MANY, f"{name}SelectorAttachments[{i}]")
    return found


def dice_of(r: Router, job: Job) -> Iterator[float]:
    """The same numbers for the same job in the same call."""
    number, drawn = r.current or r.op + 1, 0
    while True:
        drawn += 1
        digits = hashlib.sha1(f"{r.root}\0draw\0{job.id}\0{number}\0{drawn}".encode()).hexdigest()[:13]
        yield int(digits, 16) / 2**52


# ---- the whole ---------------------------------------------------------------------------------------------


def decide(
    r: Router, job: Job, policy_id: str, labels: str, queue_id: str, answers: Answers | None = None
) -> Outcome:
    """What a policy finds for a job with these labels and this queue (or none)."""
    if is_remote(str(r.policies["classification", policy_id].fields["pipeline"])) and answers is None:
        return Asks()
    try:
        return find(r, job, policy_id, labels, queue_id, answers or {})
    except Failed as failed:
        return failed


def find(r: Router, job: Job, policy_id: str, labels: str, queue_id: str, answers: Answers) -> Found:
    policy = r.policies["classification", policy_id].fields
    pipeline = json.loads(str(policy["pipeline"]) or "{}")
    put_answers(pipeline, answers)
    dice = dice_of(r, job)
    priority = None
    if "priority" in pipeline:
        try:
            priority = max(-100, min(100, math.trunc(number(pipeline["priority"], labels))))
        except Failed as failed:
            raise replace(failed, target="prioritizationRule") from None
    workers = all_attached(pipeline.get("workers", []), labels, dice, "worker")
    wanted = all_attached(pipeline.get("queues", []), labels, dice, "queue")
    selected = best_queue(r, job, wanted) if wanted else ""
    if not selected and not queue_id:
        selected = str(policy["fallback"])
    if not selected and not queue_id:
        raise Failed("QueueNotFound", NO_QUEUE)
    return Found(priority, workers, selected or queue_id, selected)


def put_answers(pipeline: dict[str, Any], answers: Answers) -> None:
    """Answers stand where the rules stood that others answer."""
    places = [("priority", pipeline)]
    places += [(f"worker.{i}", x) for i, x in enumerate(pipeline.get("workers", []))]
    places += [(f"queue.{i}", x) for i, x in enumerate(pipeline.get("queues", []))]
    for place, holder in places:
        name = "priority" if place == "priority" else "rule"
        if holder.get(name, {}).get("kind") in ("function", "webhook"):
            holder[name] = answers.get(place, {"kind": "failed", "text": "the rule was not answered"})


def best_queue(r: Router, job: Job, wanted: list[Selector]) -> str:
    """C18: of those that fit the shortest, not counting the job itself, then the first by id."""
    fitting = [
        (sum(j.id != job.id for j in r.queued_in(q.id)), q.id.encode(), q.id)
        for q in r.queues.values()
        if all(s.holds({**scalars(q.labels), '"Id"': ("string", q.id)}) for s in wanted)
    ]
    return min(fitting)[2] if fitting else ""


def finish(r: Router, job: Job, outcome: Outcome, new_stay: bool) -> None:
    """The job is put into its queue, or its classification has failed, or it waits for answers."""
    before = job.queue
    if apply(r, job, outcome):
        job.stays = False
        jobs.enqueue(r, job, stay=new_stay or job.queue != before)
    elif isinstance(outcome, Failed):
        job.stays = False
    else:
        job.stays = job.stays or not new_stay
    if not job.asked:
        job.way = set()


def apply(r: Router, job: Job, outcome: Outcome) -> bool:
    """All but the queueing; false when its classification has failed, or others have to be asked."""
    job.unclassified = False
    if isinstance(outcome, Asks):
        job.asked = r.number()
        r.tasks[f"classify:{job.id}"] = r.now
        return False
    job.asked = 0
    r.tasks.pop(f"classify:{job.id}", None)
    if isinstance(outcome, Failed):
        jobs.move(r, job, "classificationFailed")
        events.job_classification_failed(r, job, outcome.code, outcome.message, outcome.target)
        return False
    priority = job.priority if outcome.priority is None else outcome.priority
    if (job.queue, job.priority) != (outcome.queue, priority):
        job.doc += 1
    job.priority, job.queue = priority, outcome.queue
    added_at = r.now if job.enqueued_at is not None else None
    job.attached = selectors.text_of([replace(s, added=added_at) for s in outcome.attached])
    events.job_classified(r, job, outcome.selected, outcome.priority)
    return True


# ---- rules that others answer ------------------------------------------------------------------------------


def forget(r: Router, job: Job) -> None:
    """It waits for answers no more."""
    if job.asked:
        del r.tasks[f"classify:{job.id}"]
        job.asked, job.stays, job.way = 0, False, set()


def question(r: Router, job: Job) -> Reply:
    """What is told to those who ask."""
    policy = r.policies["classification", job.classification]
    return {
        "asked": job.asked,
        "revision": policy.doc,
        "labels": job.labels,
        "pipeline": policy.fields["pipeline"],
        "secret": policy.fields["secret"],
    }


def readable(text: str) -> bool:
    """Are these answers, by the places of their rules?"""
    try:
        given = json.loads(text)
    except ValueError:
        return False
    return given == [] or (isinstance(given, dict) and all(is_answer(one) for one in given.values()))


def is_answer(one: object) -> bool:
    """A value, selectors, or why there is none."""
    if not isinstance(one, dict) or set(one) != {"kind", "text"} or "\0" in one["text"]:
        return False
    text = one["text"]
    if one["kind"] == "value":
        try:
            return len(json.loads(f"[{text}]")) <= 1
        except ValueError:
            return False
    rows = [line.split("\t") for line in text.split("\n") if line]
    selects = all(len(row) == 6 and row[1] in events.OPERATORS and row[0].startswith('"') for row in rows)
    return one["kind"] == "failed" or (one["kind"] == "selectors" and selects)


def answer(r: Router, a: c.TaskAnswer) -> Reply:
    """The pipeline with answers, unless the question has changed."""
    if not readable(a.answers):
        raise Refused("BAD_CALL", "")
    job = r.jobs.get(a.task.removeprefix("classify:"))
    if not job or job.asked != a.asked:
        return {"op": r.op, "outcome": "outdated"}
    if r.policies["classification", job.classification].doc != a.revision:
        r.tasks[a.task] = r.now
        return {"op": r.op, "outcome": "outdated"}
    outcome = decide(r, job, job.classification, job.labels, job.queue, json.loads(a.answers))
    number = r.number()
    finish(r, job, outcome, new_stay=not job.stays)
    return {"op": number, "outcome": "done"}
