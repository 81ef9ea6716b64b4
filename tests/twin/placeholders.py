"""Steps whose placeholders are filled in from the twin when they are run.

A step is made without knowing what the router will answer: ids made by the service and document counters are
placeholders that ``resolve`` fills in. So a sequence stays meaningful when steps are taken out.
"""

from __future__ import annotations

import json
import random
from dataclasses import dataclass, field

import msgspec

from engine import commands as c
from engine import pipelines
from tests.twin import tasks
from tests.twin.model import Job, Offer, Router, Worker
from tests.twin.texts import lines

PRESENT = -1
"""Placeholder of a document counter: the present one."""
WIDEST = "the widest"
"""Placeholder of a job: the one that is offered to the most workers; of an offer: one of this job."""
OFFERED = "some that is offered"
"""Placeholder of a job."""
WIDE_JOBS = tuple(f"wide{i}" for i in range(6))
JOB_FIELDS = [
    "channel",
    "queue",
    "classification",
    "priority",
    "reference",
    "disposition",
    "mode",
    "labels",
    "tags",
    "notes",
    "selectors",
]


@dataclass
class Step:
    """When (a delay, or the k-th due time and an offset), what, and how its placeholders are meant."""

    command: c.Command
    delay: int = 0
    due: int | None = None
    pick: int = 0
    """Which of the offers or assignments that fit the placeholder."""
    changes: frozenset[str] = frozenset()
    """Of an update: the fields that change; the others stay as they are."""
    ids: tuple[str, ...] = ()
    """Of a create: ids to take from, the first that is free for a new life."""


@dataclass
class Memory:
    """Ids that the service has made so far, ended ones included."""

    offers: list[tuple[str, str]] = field(default_factory=list)
    assignments: list[tuple[str, str]] = field(default_factory=list)
    questions: list[tuple[str, int, int, str]] = field(default_factory=list)
    """Task, number and revision of questions, and the pipeline that asks, if it is one."""

    def note(self, r: Router) -> None:
        for worker in r.workers.values():
            for offer in worker.offers.values():
                if (worker.id, offer.id) not in self.offers[-50:]:
                    self.offers.append((worker.id, offer.id))
            for held in worker.assignments.values():
                if (held.job, held.id) not in self.assignments[-50:]:
                    self.assignments.append((held.job, held.id))
        for task in r.tasks:
            asked = tasks.question(r, task)
            if not asked:
                continue
            text = str(asked.get("pipeline", ""))
            question = (task, int(str(asked["asked"])), int(str(asked["revision"])), text)
            if question not in self.questions[-50:]:
                self.questions.append(question)


def resolve(step: Step, r: Router, memory: Memory) -> tuple[int, c.Command] | None:
    """Time and command of a step as they stand now; None when there is nothing it could mean."""
    now = r.now + step.delay
    if step.due is not None:
        times = sorted(r.agenda.values())
        if not times:
            return None
        now = max(r.now, times[step.due % len(times)] + step.delay)
    command = step.command
    if step.ids == WIDE_JOBS and step.pick % 8 and is_wide_queued(r):
        return None
    if step.ids and command.id in r.jobs and not r.jobs[command.id].finished:  # type: ignore[attr-defined]
        free = [i for i in step.ids if i not in r.jobs or r.jobs[i].finished]
        command = msgspec.structs.replace(command, id=free[0]) if free else command
    if getattr(command, "id", "") in (WIDEST, OFFERED):
        jobs = offered_jobs(r)
        if not jobs:
            return None
        job = jobs[0] if command.id == WIDEST else jobs[-1 - step.pick % len(jobs)]  # type: ignore[attr-defined]
        command = msgspec.structs.replace(command, id=job.id)  # type: ignore[call-arg]
    if isinstance(command, c.JobUpdate):
        command = patched(command, step.changes, r, now)
    if getattr(command, "doc", 0) == PRESENT:
        command = with_counter(command, r)
    for name in ("retry_at", "close_at", "schedule_at", "scheduled_before", "scheduled_after"):
        if getattr(command, name, 0):
            command = msgspec.structs.replace(command, **{name: now + getattr(command, name)})
    if getattr(command, "offer", "") in ("open", "past", WIDEST):
        return with_offer(now, command, step.pick, r, memory)
    if isinstance(command, c.JobHistory | c.WorkerHistory):
        return now, msgspec.structs.replace(command, before=place(command, step.pick, r))
    if isinstance(command, c.TaskAnswer):
        return with_question(now, command, step.pick, r, memory)
    if getattr(command, "assignment", "") in ("present", "past"):
        return with_assignment(now, command, step.pick, r, memory)
    return now, command


def is_wide_queued(r: Router) -> bool:
    """Waits a job for many workers already? Another would take them all when it goes away."""
    return any(job.id in WIDE_JOBS and job.max_offers > 2 for job in r.queued(r.jobs.values()))


def offered_jobs(r: Router) -> list[Job]:
    """The jobs with open offers, those with the most first."""
    counts = [(len(r.open_offers(job)), job.id) for job in r.queued(r.jobs.values())]
    return [r.jobs[job_id] for count, job_id in sorted(counts, reverse=True) if count]


def place(command: c.JobHistory | c.WorkerHistory, pick: int, r: Router) -> str:
    """Of the last event of a job or worker, or of any event that was ever told."""
    of: Job | Worker | None = (r.jobs if isinstance(command, c.JobHistory) else r.workers).get(command.id)
    if command.before == "last" and of:
        return of.event
    if command.before == "any" and r.op:
        return f"{1 + pick % r.op}.{1 + pick % 3}"
    return ""


def with_question(
    now: int, command: c.TaskAnswer, pick: int, r: Router, memory: Memory
) -> tuple[int, c.Command] | None:
    """An open question mostly, or one of the past; its rules get one answer each, unless they are spoilt."""
    asked = {number for job in r.jobs.values() for number in (job.asked, job.scoring) if number}
    some = [q for q in memory.questions[-200:] if command.task == "past" or q[1] in asked]
    if not some:
        return None
    task, number, revision, text = some[pick % len(some)]
    if task.startswith("score:") and command.task != "malformed":
        return now, c.TaskAnswer(task, number, revision, ranking(random.Random(pick), r))
    if command.task == "malformed":
        return now, c.TaskAnswer(task, number, revision, command.answers)
    made = [json.loads(line) for line in command.answers.split("\n")]
    answers = {}
    for i, (place, _, selects) in enumerate(pipelines.rules(pipelines.pipeline_of_text(text))):
        fitting = made[0 if place == "priority" else 2 if selects else 1]
        # what was made for another place fits seldom
        answers[place] = made[(pick + i) % len(made)] if (pick + i) % 7 == 0 else fitting
    places = list(answers)
    if command.task == "partial" and places:
        del answers[places[pick % len(places)]]
        answers["worker.99"] = made[0]
    elif command.task == "strange":
        task, revision = ("classify:nobody", 0) if pick % 2 else (task, revision + 1)
    return now, c.TaskAnswer(task, number, revision, json.dumps(answers))


def ranking(d: random.Random, r: Router) -> str:
    """Some workers or all, strangers among them, with scores that repeat or are none; sorted or not."""
    scores = d.choice([[3, 2.5, 1, -1, None], [2, 1], [None], [0, None]])
    pairs = [(worker, d.choice(scores)) for worker in d.sample([*r.workers, "stranger"], len(r.workers) + 1)]
    if d.random() < 0.8:
        pairs.sort(key=lambda pair: (pair[1] is None, -(pair[1] or 0)))
    return json.dumps(pairs[: d.choice([0, 1, 2, 100, 100, 100])])


def patched(command: c.JobUpdate, changes: frozenset[str], r: Router, now: int) -> c.JobUpdate:
    """A PATCH of an existing job: what it does not change is sent as it stands."""
    job = r.jobs.get(command.id)
    if not job:
        return command
    kept = {name: getattr(job, name) for name in JOB_FIELDS if name not in changes}
    if "mode" in kept:
        # as time from now, as the dice make it
        kept["schedule_at"] = job.schedule_at and job.schedule_at - now
    if "selectors" in kept:
        kept["selectors"] = "\n".join(line.rsplit("\t", 1)[0] + "\t" for line in lines(job.selectors))
    return msgspec.structs.replace(command, **kept)


def with_counter(command: c.Command, r: Router) -> c.Command:
    record: object = None
    if isinstance(command, c.PolicyUpsert):
        record = r.policies.get((command.kind, command.id))
    elif isinstance(command, c.QueueUpsert):
        record = r.queues.get(command.id)
    elif isinstance(command, c.WorkerUpsert):
        record = r.workers.get(command.id)
    else:
        record = r.jobs.get(getattr(command, "id", ""))
    return msgspec.structs.replace(command, doc=getattr(record, "doc", 0))


def with_offer(
    now: int, command: c.Command, pick: int, r: Router, memory: Memory
) -> tuple[int, c.Command] | None:
    assert isinstance(command, c.OfferAccept | c.OfferDecline)
    found: list[tuple[str, str]] = memory.offers[-20:]
    if command.offer != "past":
        offers: list[Offer] = [o for w in r.workers.values() for o in w.offers.values()]
        if command.offer == WIDEST:
            offers = [o for job in offered_jobs(r)[:1] for o in r.open_offers(job)]
        found = [(o.worker, o.id) for o in sorted(offers, key=lambda o: o.place)]
    if not found:
        return None
    worker, offer = found[pick % len(found)]
    return now, msgspec.structs.replace(command, worker=worker, offer=offer)


def with_assignment(
    now: int, command: c.Command, pick: int, r: Router, memory: Memory
) -> tuple[int, c.Command] | None:
    found = memory.assignments[-20:]
    if getattr(command, "assignment", "") == "present":
        wanted = "completed" if isinstance(command, c.AssignmentClose) else "assigned"
        held: list[Job] = [j for j in r.jobs.values() if j.status == wanted]
        found = [(j.id, j.assignment) for j in held]
    if not found:
        return None
    job, assignment = found[pick % len(found)]
    return now, msgspec.structs.replace(command, job=job, assignment=assignment)
