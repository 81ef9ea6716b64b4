"""Queues that let others score the workers of their jobs: questions, rankings, and queues that are closed."""

from __future__ import annotations

import json
from typing import Any

from engine.errors import Refused
from tests.twin.model import Job, Queue, Reply, Router, Worker

Ranking = list[tuple[str, float | None]]
RANKED = 100


def lets_others_score(r: Router, queue_id: str) -> bool:
    rules = str(r.distribution(queue_id)["rules"])
    return rules != "" and json.loads(rules)["kind"] in ("function", "webhook")


def questions(r: Router, queue_id: str) -> dict[str, int]:
    """The jobs of a queue whose workers are being scored, and the numbers of the questions."""
    return {job.id: job.scoring for job in r.jobs.values() if job.queue == queue_id and job.scoring}


# ---- asking ------------------------------------------------------------------------------------------------


def ask(r: Router, job: Job) -> bool:
    """Others are asked about the workers of a job; where that is too much, its queue closes at its place."""
    if len(questions(r, job.queue)) >= r.settings["questions"]:
        r.closed[job.queue] = job.place
        r.agenda.pop(f"open:{job.queue}", None)
        return False
    job.scoring = r.number()
    r.tasks[f"score:{job.id}"] = r.now
    r.issued += 1
    return True


def withdraw(r: Router, job: Job) -> None:
    """It waits for no ranking any more."""
    if job.scoring:
        job.scoring = 0
        del r.tasks[f"score:{job.id}"]
        ease(r, job.queue)


def question(r: Router, job: Job) -> Reply | None:
    """What is told to those who ask."""
    if not lets_others_score(r, job.queue):
        return None
    policy = r.policies["distribution", r.queues[job.queue].distribution]
    return {
        "asked": job.scoring,
        "revision": policy.changed,
        "labels": job.labels,
        "selectors": "\n".join(s.line for s in job.active_selectors()),
        "rules": policy.fields["rules"],
        "descending": int(bool(policy.fields["descending"])),
        "secret": policy.fields["secret"],
    }


# ---- closed queues -----------------------------------------------------------------------------------------


def holds(r: Router, job: Job) -> bool:
    """Is its queue closed where it stands?"""
    return job.queue in r.closed and job.place >= r.closed[job.queue]


def ease(r: Router, queue_id: str) -> None:
    """When half of the questions are answered, or nobody is to be asked any more, a closed queue goes on."""
    if queue_id in r.closed:
        few = 2 * len(questions(r, queue_id)) <= r.settings["questions"]
        if few or not lets_others_score(r, queue_id):
            r.agenda[f"open:{queue_id}"] = r.now


def forget(r: Router, queue: Queue) -> None:
    r.closed.pop(queue.id, None)
    r.agenda.pop(f"open:{queue.id}", None)


# ---- the answer --------------------------------------------------------------------------------------------


def parse(text: str) -> Ranking:
    """A list of pairs, or what a table without members cannot be told from."""
    try:
        pairs: Any = json.loads(text)
    except ValueError:
        raise Refused("BAD_CALL", "") from None
    if pairs == {}:
        return []
    if not isinstance(pairs, list) or len(pairs) > RANKED or not all(is_pair(pair) for pair in pairs):
        raise Refused("BAD_CALL", "")
    return [(worker, score) for worker, score in pairs]


def is_pair(pair: Any) -> bool:
    return (
        isinstance(pair, list)
        and len(pair) == 2
        and isinstance(pair[0], str)
        and (pair[1] is None or (isinstance(pair[1], int | float) and not isinstance(pair[1], bool)))
    )


def best(job: Job, candidates: list[Worker]) -> tuple[Worker, float | None] | None:
    """The first of its ranking that may get it, and its score; of equal ones the longest available."""
    ranking = list(job.ranking)
    while ranking:
        score = ranking[0][1]
        group = []
        while ranking and ranking[0][1] == score:
            group.append(ranking.pop(0)[0])
        found = [w for w in candidates if w.id in group]
        if found:
            return min(found, key=lambda w: w.since), score
    return None
