"""Why a job is not offered to a worker, in obvious Python: what `jr_job_explain` must answer."""

from __future__ import annotations

from engine.explanations import JobExplanation, WorkerExplanation
from tests.twin import offers, rankings
from tests.twin.matching import LEVELS, eligible, has_room, offer_limit, wants
from tests.twin.model import Job, Reply, Router, Worker
from tests.twin.selectors import Selector

Codes = set[tuple[str, ...]]
"""A code, and what distinguishes reasons of one code."""
FIRST_JOBS = 3
Core = tuple[str, str, str]
"""Key, operator and value of a selector."""


def of_job(r: Router, job: Job) -> Codes:
    """Reasons of the job alone."""
    if job.status == "queued":
        if job.filling:
            return {("job_set_aside",)}
        if job.scoring:
            return {("being_scored",)}
        if not wants(r, job):
            return {("maximum_of_offers", str(len(r.open_offers(job))), str(job.max_offers))}
        if rankings.holds(r, job):
            return {("waits_for_scores",)}
        ahead = [j for j in rivals(r) if needs(r, j) == needs(r, job) and j.place < job.place]
        return {("behind_jobs", str(len(ahead)))} if ahead else set()
    return {
        "pendingClassification": {("being_classified",)},
        "scheduled": {("scheduled", str(job.schedule_at))},
        "waitingForActivation": {("suspended",)},
    }.get(job.status, {("not_queued", job.status)})


def of_pair(r: Router, job: Job, w: Worker) -> Codes:
    """Reasons of the worker."""
    if job.status == "queued":
        found = obstacles(r, job, w)
        if job.filling or job.scoring or (wants(r, job) and rankings.holds(r, job)):
            return found
        if wants(r, job):
            return found | behind(r, job, w, found)
        return found or {("outranked",)}
    return obstacles(r, job, w) if may_be_activated(job) else set()


def obstacles(r: Router, job: Job, w: Worker) -> Codes:
    """What is between the two, whatever the job itself waits for."""
    found: Codes = set()
    channel = w.channel(job.channel)
    if not w.available:
        found.add(("not_registered", w.state))
    if w.filling:
        found.add(("worker_set_aside",))
    if job.queue not in w.queue_ids:
        found.add(("not_on_queue",))
    if channel is None:
        found.add(("channel_missing",))
    if channel and w.used + channel.cost > w.capacity:
        found.add(("capacity_full", str(channel.cost), str(w.capacity - w.used)))
    if channel and channel.most is not None and w.held(channel.id) >= channel.most:
        found.add(("channel_maximum", str(channel.most)))
    if len(w.offers) >= offer_limit(r, w):
        found.add(("offer_limit", str(len(w.offers)), str(offer_limit(r, w))))
    for selector in asked(r, job):
        if not selector.holds(w.label_values):
            found.add(("selector_failed", selector.key, selector.operator, selector.value))
    if w.id in job.bars:
        found.add(("declined", str(r.agenda.get(offers.retry_row(job.id, w.id), ""))))
    if w.id in asked_workers(r, job):
        found.add(("already_offered",))
    return found


def of_worker(r: Router, w: Worker) -> dict[str, object]:
    """Why does a worker get nothing, and what would it get first if it held nothing?"""
    found = {"not_registered"} if not w.available else {"worker_set_aside"} if w.filling else set()
    if len(w.offers) >= offer_limit(r, w):
        found.add("offer_limit")
    for channel in w.channel_list:
        if w.used + channel.cost > w.capacity:
            found.add("capacity_full")
        if channel.most is not None and w.held(channel.id) >= channel.most:
            found.add("channel_maximum")
    waiting = {
        job.id: (names(of_job(r, job)), names(of_pair(r, job, w)) - {"behind_jobs"})
        for queue in w.queue_ids
        for job in r.queued_in(queue)[:FIRST_JOBS]
    }
    free = w.available and not w.filling
    return {"own": found, "next": first_for(r, rivals(r), w) if free else "", "waiting": waiting}


def names(codes: Codes) -> set[str]:
    return {code[0] for code in codes}


def of_worker_told(found: WorkerExplanation) -> dict[str, object]:
    """The same of an explanation of the library."""
    return {
        "own": {reason.code for reason in found.reasons},
        "next": found.next_job,
        "waiting": {
            one.job: ({reason.code for reason in one.reasons}, {reason.code for reason in one.obstacles})
            for queue in found.queues
            for one in queue.jobs
        },
    }


def asked(r: Router, job: Job) -> list[Selector]:
    """The selectors that a worker must fit.

    Outside its queue a job is to take the policy of the queue, and loses what has run out meanwhile.
    """
    if job.status == "queued":
        return [] if job.bypass else job.active_selectors()
    if r.distribution(job.queue)["bypass"]:
        return []
    ends = {s: s.expires_at(job.enqueued_at) for s in job.active_selectors()}
    return [s for s, at in ends.items() if at is None or at > r.now]


def needs(r: Router, job: Job) -> tuple[str, str, frozenset[tuple[str, str, str]]]:
    """Jobs of equal needs compete for the same workers."""
    return (
        job.queue,
        job.channel,
        frozenset((s.key, s.operator, s.value) for s in asked(r, job)),
    )


def rivals(r: Router) -> list[Job]:
    """All jobs that want an offer and may get one, in their order."""
    wanting = (j for j in r.queued(r.jobs.values()) if wants(r, j) and not rankings.holds(r, j))
    return sorted(wanting, key=lambda j: j.place)


def survey(r: Router, job: Job) -> dict[str, object] | None:
    """How many workers fit, and what the others lack; None for a job that is not matched."""
    if job.status != "queued" and not may_be_activated(job):
        return None
    served = [w for w in r.workers.values() if job.queue in w.queue_ids]
    registered = [w for w in served if w.available]
    on_channel = [w for w in registered if w.channel(job.channel)]
    selectors = counted(asked(r, job))
    fitting = [w for w in on_channel if not failed(selectors, w)]
    ready = [w for w in fitting if has_room(r, w, job.channel) and not w.filling]
    counts = {
        ("not_on_queue",): (len(r.workers) - len(served), None),
        ("not_registered",): (len(served) - len(registered), None),
        ("channel_missing",): (
            len(registered) - len(on_channel),
            sum(not w.channel(job.channel) and not failed(selectors, w) for w in registered),
        ),
        ("busy",): (len(fitting) - len(ready), None),
    }
    for core in selectors:
        lacking = [failed(selectors, w) for w in registered if core in failed(selectors, w)]
        alone = sum(core in failed(selectors, w) and len(failed(selectors, w)) == 1 for w in on_channel)
        counts["selector_failed", *core] = (len(lacking), alone)
    left = left_at_expiry(r, job)
    admitted = (
        [w for w in on_channel if failed(selectors, w) and not failed(left, w)] if left is not None else []
    )
    room = [w for w in admitted if has_room(r, w, job.channel) and not w.filling]
    return {
        "staff": (len(r.workers), len(served), len(registered), len(fitting), len(ready)),
        "counts": {code: count for code, count in counts.items() if count[0]},
        "admits": (len(admitted), len(room)),
    }


def counts_exactly(r: Router) -> bool:
    """Workers of greater capacities are only counted level by level."""
    return all(w.capacity <= LEVELS for w in r.workers.values())


def may_be_activated(job: Job) -> bool:
    """Is its queue known, though it is not in its order?"""
    return job.status in ("scheduled", "waitingForActivation") and not job.unclassified and job.queue != ""


def failed(selectors: dict[Core, Selector], w: Worker) -> set[Core]:
    return {core for core, selector in selectors.items() if not selector.holds(w.label_values)}


def left_at_expiry(r: Router, job: Job) -> dict[Core, Selector] | None:
    """The selectors that are active when the next ones have run out; None when none will."""
    if job.status != "queued":
        return None
    ends = {s: s.expires_at(job.enqueued_at) for s in job.active_selectors()}
    times = [at for at in ends.values() if at is not None]
    if not times:
        return None
    if job.bypass:
        return {}
    return counted([s for s, at in ends.items() if at is None or at > min(times)])


def fits_later(r: Router, job: Job, w: Worker) -> int | None:
    """Does the worker fit when the next selectors have run out? None where none will, or it fits them now."""
    if job.status != "queued" or all(s.holds(w.label_values) for s in asked(r, job)):
        return None
    ends = {s: s.expires_at(job.enqueued_at) for s in job.active_selectors()}
    times = [at for at in ends.values() if at is not None]
    if not times:
        return None
    return int(all(s.holds(w.label_values) for s, at in ends.items() if at is None or at > min(times)))


def counted(selectors: list[Selector]) -> dict[Core, Selector]:
    """Each selector once; those that put Ids in order are not counted."""
    return {
        (s.key, s.operator, s.value): s for s in selectors if s.key != '"Id"' or s.operator in ("=", "!=")
    }


def survey_told(found: JobExplanation) -> dict[str, object] | None:
    """The same of an explanation of the library."""
    if not found.staff:
        return None
    counts = {}
    for reason in found.counts:
        core = (reason.key, reason.operator, reason.value) if reason.key else ()
        counts[reason.code, *core] = (reason.workers, reason.alone)
    admits = [(c.workers, c.ready) for c in found.changes if c.kind == "selectors"]
    return {
        "staff": tuple(getattr(found.staff, name) for name in found.staff.__struct_fields__),
        "counts": counts,
        "admits": admits[0] if admits else (0, 0),
    }


def asked_workers(r: Router, job: Job) -> set[str]:
    return {offer.worker for offer in r.open_offers(job)}


def behind(r: Router, job: Job, w: Worker, found: Codes) -> Codes:
    """Does a worker that only lacks room take another job before this one when it is free?"""
    if not found or {code[0] for code in found} - {"capacity_full", "channel_maximum", "offer_limit"}:
        return set()
    # it may be asked for the job itself, if not for its room; does it get that first?
    first = first_for(r, rivals(r), w)
    return {("behind_jobs", first)} if first not in ("", job.id) and fits_when_free(r, job, w) else set()


def fits_when_free(r: Router, job: Job, w: Worker) -> bool:
    return first_for(r, [job], w) == job.id


def first_for(r: Router, jobs: list[Job], w: Worker) -> str:
    """The first of some jobs that the worker would get if it held nothing."""
    unasked = [job for job in jobs if w.id not in asked_workers(r, job)]
    held = w.offers, w.assignments
    try:
        w.offers, w.assignments = {}, {}
        return next((job.id for job in unasked if eligible(r, w, job)), "")
    finally:
        w.offers, w.assignments = held


def reasons_told(rows: list[Reply], about: str) -> Codes:
    """The same of a reply of the library."""
    details = {
        "maximum_of_offers": ("open", "maximum"),
        "scheduled": ("at",),
        "not_queued": ("status",),
        "not_registered": ("state",),
        "capacity_full": ("needed", "free"),
        "channel_maximum": ("maximum",),
        "offer_limit": ("open", "limit"),
        "selector_failed": ("key", "operator", "value"),
        "declined": ("until",),
    }
    found: Codes = set()
    for row in rows:
        if row["about"] == about:
            code = str(row["code"])
            found.add((code, *(str(row.get(name, "")) for name in details.get(code, ())), *behind_whom(row)))
    return found


def behind_whom(row: Reply) -> tuple[str, ...]:
    """Of a job that stands behind others: how many, or which one."""
    if row["code"] != "behind_jobs":
        return ()
    jobs = row["jobs"]
    assert isinstance(jobs, list)
    return (str(row["ahead"]),) if "ahead" in row else (str(jobs[0]),)
