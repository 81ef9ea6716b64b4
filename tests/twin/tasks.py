"""Work that is done outside: leased by time, answered by its kind."""

from __future__ import annotations

from engine import commands as c
from engine.errors import Refused
from tests.twin import classification, rankings
from tests.twin.model import Job, Reply, Router
from tests.twin.policies import take_policy

LEASED_TASKS = 100


def job_of(r: Router, task: str) -> Job:
    return r.jobs[task.split(":", 1)[1]]


def question(r: Router, task: str) -> Reply | None:
    """What a task asks; None when it is nothing any more."""
    ask = classification.question if task.startswith("classify:") else rankings.question
    return ask(r, job_of(r, task))


def lease(r: Router, a: c.TaskLease) -> Reply:
    """The first tasks, each moved ahead."""
    if not 1 <= a.count <= LEASED_TASKS or a.lease_ms < 1:
        raise Refused("BAD_CALL", "")
    due = sorted((due, task.encode(), task) for task, due in r.tasks.items() if due <= r.now)[: a.count]
    rows = []
    for _, _, task in due:
        asked = question(r, task)
        if asked is not None:
            rows.append({"task": task, **asked})
            r.tasks[task] = r.now + a.lease_ms
        elif task.startswith("score:"):
            # its queue does not let others score any more
            r.number()
            job = job_of(r, task)
            rankings.withdraw(r, job)
            take_policy(r, job)
    return {"op": r.op, "rows": rows}


def answer(r: Router, a: c.TaskAnswer) -> Reply:
    if a.task.startswith("score:"):
        return answer_ranking(r, a)
    return classification.answer(r, a)


def answer_ranking(r: Router, a: c.TaskAnswer) -> Reply:
    """The ranking is taken, unless the question has changed."""
    ranking = rankings.parse(a.answers)
    job = r.jobs.get(a.task.removeprefix("score:"))
    if not job or job.scoring != a.asked or not rankings.lets_others_score(r, job.queue):
        return {"op": r.op, "outcome": "outdated"}
    if r.policies["distribution", r.queues[job.queue].distribution].changed != a.revision:
        r.tasks[a.task] = r.now
        return {"op": r.op, "outcome": "outdated"}
    number = r.number()
    rankings.withdraw(r, job)
    job.ranking = ranking
    take_policy(r, job)
    return {"op": number, "outcome": "done"}
