"""Jobs: created, changed, queued, cancelled, removed (semantics 4, 10, 12, and the choices C21, C35)."""

from __future__ import annotations

from engine import commands as c
from engine.errors import Refused
from tests.twin import classification, events, exceptions, offers, rankings, schedules, selectors
from tests.twin.model import LIFETIME, Job, Reply, Router
from tests.twin.policies import (
    check_counters,
    listed,
    page,
    take_policy,
    wait_minutes,
)
from tests.twin.texts import lines

ACTIVE = (
    *("queued", "assigned", "completed", "scheduled", "waitingForActivation"),
    *("pendingClassification", "classificationFailed"),
)
ASIDE = ("scheduled", "waitingForActivation")
"""Jobs outside the order of their queue that a client may activate."""
WAITING = ("queued", "pendingClassification", "classificationFailed")
"""Jobs that wait for a worker, or would if they could be classified."""
FIRST_STATUS = {
    "queueAndMatch": "created",
    "suspend": "waitingForActivation",
    "scheduleAndSuspend": "pendingSchedule",
}
GIVEN = ("channel", "queue", "classification", "priority", "reference", "disposition", "mode", "schedule_at")
DOCUMENTS = ("labels", "tags", "notes", "selectors")


def find(r: Router, job_id: str) -> Job:
    if job_id not in r.jobs:
        raise Refused("NOT_FOUND", "The item was not found.")
    return r.jobs[job_id]


def move(r: Router, job: Job, status: str) -> None:
    job.status = status
    revise(r, job)


def revise(r: Router, job: Job) -> None:
    """Counts a change that moves the ETag."""
    job.rev += 1
    job.modified_at = r.now


def add_note(r: Router, job: Job, note: str) -> None:
    """Notes of actions are appended with the present time."""
    if note:
        job.notes = "\n".join([*([job.notes] if job.notes else []), f"{note}\t{r.now}"])


def dated_notes(r: Router, notes: str) -> str:
    """Notes that come without a time get the present one; all stand oldest first."""
    dated = [line + str(r.now) if line.endswith("\t") else line for line in lines(notes)]
    return "\n".join(sorted(dated, key=lambda line: int(line.rsplit("\t", 1)[1])))


def remember(r: Router, job: Job, action: str, request: str) -> None:
    """Keeps the request id of an action, so that its repeat does nothing."""
    if request:
        job.requests[action] = request


def enqueue(r: Router, job: Job, stay: bool = True) -> None:
    """Puts a job into its queue, with the number and time of its first enqueue; perhaps a new stay begins."""
    if stay and not exceptions.admit(r, job):
        return
    if job.status != "queued":
        move(r, job, "queued")
    if not job.seq:
        job.seq, job.enqueued_at = r.number(), r.now
    if stay:
        job.entered_at = r.now
        job.fired.clear()
    events.job_queued(r, job)
    expire_selectors(r, job)
    arm_selectors(r, job)
    take_policy(r, job)


def leave_queue(r: Router, job: Job, lost: bool = False) -> None:
    """Its offers are revoked and its selectors' clocks ring no more."""
    offers.revoke_all(r, job, lost)
    rankings.withdraw(r, job)
    r.agenda.pop(f"selector:{job.id}", None)
    r.agenda.pop(f"exception:{job.id}", None)


def expire_selectors(r: Router, job: Job) -> None:
    """Marks what has run out up to now, with one event for all of it."""
    expired = [s for s in job.active_selectors() if (s.expires_at(job.enqueued_at) or r.now + 1) <= r.now]
    if expired:
        job.expired_to = r.now
        rankings.withdraw(r, job)
        events.job_selectors_expired(r, job, expired)


def arm_selectors(r: Router, job: Job) -> None:
    """The next expiry of a queued job stands on the agenda."""
    times = [t for s in job.active_selectors() if (t := s.expires_at(job.enqueued_at)) is not None]
    r.agenda.pop(f"selector:{job.id}", None)
    if times:
        r.agenda[f"selector:{job.id}"] = min(times)


def selector_due(r: Router, job_id: str) -> None:
    job = r.jobs.get(job_id)
    if job and job.status == "queued":
        r.number()
        expire_selectors(r, job)
        arm_selectors(r, job)
        take_policy(r, job)


def check_given(r: Router, a: c.JobCreate | c.JobUpdate) -> None:
    """Refuses what does not exist or does not fit."""
    if a.mode not in FIRST_STATUS or (a.mode == "scheduleAndSuspend") != (a.schedule_at > 0):
        raise Refused("BAD_CALL", "")
    if not a.channel or not (a.queue or a.classification):
        raise Refused("INVALID", "")
    if a.queue and a.queue not in r.queues:
        raise Refused("INVALID", f"queue '{a.queue}' does not exist")
    if not -100 <= a.priority <= 100:
        raise Refused("INVALID", "")


def check_policy(r: Router, policy_id: str) -> None:
    """Refuses a classification policy that does not exist."""
    if ("classification", policy_id) not in r.policies:
        raise Refused("INVALID", "")


def create(r: Router, a: c.JobCreate) -> Reply:
    """A new job, or a new life of a finished one (C35)."""
    old = r.jobs.get(a.id)
    if check_counters(old, a.doc, a.rev):
        assert old
        return {"outcome": "exists", "op": r.op, **old.record()}
    if old and not old.finished:
        raise Refused("CHANGED", "")
    if old and a.request_id and a.request_id in (old.requests.get("update"), begun_by(r, old)):
        return {"outcome": "exists", "op": r.op, **old.record()}
    job = Job(a.id)
    check_given(r, a)
    decided = None
    if a.classification:
        check_policy(r, a.classification)
        if a.mode == "queueAndMatch":
            decided = classification.decide(r, job, a.classification, a.labels, a.queue)
    number = r.number()
    job.created = number
    if old:
        # a revival keeps the counters and the thread of events; all else is what the caller has merged
        job.doc, job.rev, job.unassigned, job.event = old.doc, old.rev, old.unassigned, old.event
        job.scheduled_at = old.scheduled_at
        del r.finished[a.id]
    r.jobs[a.id] = job
    for name in (*GIVEN, "labels", "tags", "selectors"):
        setattr(job, name, getattr(a, name))
    job.notes = dated_notes(r, a.notes)
    job.created_at = r.now
    job.doc += 1
    move(r, job, "pendingClassification" if decided else FIRST_STATUS[a.mode])
    r.agenda[f"life:{job.id}"] = r.now + LIFETIME
    reply = {"outcome": "updated" if old else "created", "op": number, **job.record()}
    events.job_received(r, job)
    job.unclassified = a.classification != "" and not decided
    if decided:
        classification.finish(r, job, decided, new_stay=True)
    elif job.status == "created":
        enqueue(r, job)
    elif job.status == "pendingSchedule":
        schedules.start(r, job)
    return reply


def begun_by(r: Router, job: Job) -> str:
    """The request id with which the present life of a job began, while its entry is kept."""
    return next((entry.request for entry in r.entries if entry.op == job.created), "")


def update(r: Router, a: c.JobUpdate) -> Reply:
    """All client-written fields are replaced; only what differs has an effect (semantics 12)."""
    job = r.jobs.get(a.id)
    if check_counters(job, a.doc, a.rev):
        assert job
        return {"outcome": "exists", "op": r.op, **job.record()}
    if not job or job.finished:
        raise Refused("CHANGED", "")
    check_given(r, a)
    before = job.status
    notes = dated_notes(r, a.notes)
    added_at = r.now if job.seq else None
    chosen = selectors.text_of(
        selectors.merged(selectors.parse(job.selectors), selectors.parse(a.selectors), added_at)
    )
    given = {name: getattr(a, name) for name in GIVEN} | {
        # a job with a policy keeps the queue that it has
        "queue": a.queue or job.queue,
        "labels": a.labels,
        "tags": a.tags,
        "notes": notes,
        "selectors": chosen,
    }
    changed = {name for name, value in given.items() if getattr(job, name) != value}
    requeued = bool(changed & {"labels", "queue", "channel", "selectors"})
    requeued = requeued or ("classification" in changed and not a.classification)
    anew = a.classification != "" and bool(changed & {"labels", "classification"})
    # only a real change counts: a job queued again by an unassign may still say suspend
    remoded = bool(changed & {"mode", "schedule_at"})
    suspends = remoded and a.mode == "suspend" and before in (*WAITING, "scheduled")
    scheduled = remoded and a.mode == "scheduleAndSuspend" and before in (*WAITING, *ASIDE)
    activated = before in ASIDE and a.mode == "queueAndMatch"
    was_in_queue = before == "queued" or job.stays
    if before == "pendingClassification":
        requeued = not a.classification
    if before == "classificationFailed":
        requeued = "queue" in changed or not a.classification
    if suspends or scheduled or before not in (*WAITING, *ASIDE):
        classifies = False
    elif before in ASIDE:
        classifies = activated and (anew or (a.classification != "" and job.unclassified))
    else:
        classifies = anew
    if a.classification and "classification" in changed:
        check_policy(r, a.classification)
    decided = None
    if classifies:
        decided = classification.decide(r, job, a.classification, a.labels, given["queue"])
    number = r.number()
    if before == "queued" and (decided or requeued or suspends or scheduled):
        # its offers are revoked as they were made: their events tell of the job before the change
        leave_queue(r, job)
    if not a.classification and job.classification:
        job.attached, job.unclassified = "", False
    for name, value in given.items():
        setattr(job, name, value)
    remember(r, job, "update", a.request_id)
    job.doc += 1
    revise(r, job)
    if decided:
        schedules.stop(r, job)
        if before != "pendingClassification":
            move(r, job, "pendingClassification")
        reply = {"outcome": "updated", "op": number, **job.record()}
        classification.finish(r, job, decided, new_stay=before != "queued")
        return reply
    if scheduled or suspends or activated or (before in WAITING and requeued):
        classification.forget(r, job)
    if scheduled:
        schedules.start(r, job)
    elif suspends:
        schedules.stop(r, job)
        move(r, job, "waitingForActivation")
        events.job_waiting_for_activation(r, job)
    elif activated or (before in WAITING and requeued):
        schedules.stop(r, job)
        enqueue(r, job, stay=activated or not was_in_queue or "queue" in changed)
    elif before == "queued":
        take_policy(r, job)
    if (
        a.classification
        and job.status in ASIDE
        and (anew or before in ("classificationFailed", "pendingClassification"))
    ):
        job.unclassified = True
    return {"outcome": "updated", "op": number, **job.record()}


def cancel(r: Router, a: c.JobCancel) -> Reply:
    job = find(r, a.id)
    if a.request_id and job.requests.get("cancel") == a.request_id:
        return {"op": r.op}
    if job.finished:
        raise Refused("CONFLICT", "")
    cancel_now(r, job, a.disposition or "Cancelled", a.note)
    remember(r, job, "cancel", a.request_id)
    return {"op": r.number()}


def cancel_now(r: Router, job: Job, disposition: str, note: str) -> None:
    """Row 21: its offers are revoked, or its worker is freed and the assignment closed (C12)."""
    if job.status == "queued":
        leave_queue(r, job)
    classification.forget(r, job)
    schedules.stop(r, job)
    freed = None
    if job.assignment and job.status in ("assigned", "completed"):
        job.closed_at = r.now
        freed = r.workers[job.worker]
        offers.release(r, job)
    r.agenda.pop(f"close:{job.id}", None)
    job.close_at = 0
    add_note(r, job, note)
    job.disposition = disposition
    job.doc += 1
    move(r, job, "cancelled")
    events.job_cancelled(r, job, note, freed)
    finish(r, job)


def finish(r: Router, job: Job) -> None:
    """A finished job is kept for a while, then the sweep removes it."""
    r.number()
    job.bars.clear()
    r.finished[job.id] = r.now


def remove(r: Router, job: Job) -> None:
    """Takes a finished job out of the store, without a trace."""
    r.finished.pop(job.id, None)
    r.agenda.pop(f"life:{job.id}", None)
    del r.jobs[job.id]


def life_due(r: Router, job_id: str) -> None:
    """C21: too old, unless it has finished in time."""
    job = r.jobs.get(job_id)
    if job and not job.finished:
        r.number()
        cancel_now(r, job, "Expired", "")


def delete(r: Router, a: c.JobDelete) -> Reply:
    job = r.jobs.get(a.id)
    if not job:
        return {"outcome": "absent", "op": r.op}
    if not job.finished and job.status != "classificationFailed":
        raise Refused("IN_USE", "active")
    events.job_deleted(r, job)
    remove(r, job)
    return {"outcome": "deleted", "op": r.number()}


def reclassify(r: Router, a: c.JobReclassify) -> Reply:
    """Its policy is applied again; to a job that is to be activated first, then."""
    job = find(r, a.id)
    if a.request_id and job.requests.get("reclassify") == a.request_id:
        return {"op": r.op}
    if job.status not in (*WAITING, *ASIDE):
        raise Refused("CONFLICT", "")
    if not job.classification:
        raise Refused("INVALID", "")
    if job.status in ASIDE:
        job.unclassified = True
    else:
        decided = classification.decide(r, job, job.classification, job.labels, job.queue)
        was_queued = job.status == "queued"
        r.number()
        if was_queued:
            leave_queue(r, job)
        if job.status != "pendingClassification":
            move(r, job, "pendingClassification")
        classification.finish(r, job, decided, new_stay=not was_queued)
    remember(r, job, "reclassify", a.request_id)
    return {"op": r.number()}


def read(r: Router, a: c.JobRead) -> Reply:
    return find(r, a.id).record()


def position(r: Router, a: c.JobPosition) -> Reply:
    job = find(r, a.id)
    if job.status != "queued":
        raise Refused("CONFLICT", "")
    waiting = r.queued_in(job.queue)
    place = waiting.index(job) + 1
    return {
        "job": job.id,
        "position": place,
        "queue": job.queue,
        "length": len(waiting),
        "wait_minutes": wait_minutes(r, r.queues[job.queue], place, waiting),
    }


def list_page(r: Router, a: c.JobList) -> Reply:
    def scheduled(job: Job) -> int:
        return job.schedule_at if job.status == "scheduled" else job.scheduled_at

    def fits(job: Job) -> bool:
        return (
            (a.status in ("", job.status) or (a.status == "active" and job.status in ACTIVE))
            and a.channel in ("", job.channel)
            and a.classification in ("", job.classification)
            and (not a.scheduled_before or 0 < scheduled(job) <= a.scheduled_before)
            and (not a.scheduled_after or scheduled(job) >= a.scheduled_after)
        )

    rows = [job for job in r.jobs.values() if a.queue in ("", job.queue)]
    return page(listed(rows), fits, a.cursor, a.limit)
