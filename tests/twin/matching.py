"""The one matching rule, word for word."""

from __future__ import annotations

from tests.twin import events, rankings
from tests.twin.model import Job, Offer, Reply, Router, Worker
from tests.twin.policies import take_policy
from tests.twin.scoring import scored

LEVELS = 8191

OFFER_BYTES = 16_384
"""So many of labels and tags make an offer cost as much as one more."""


def settle(r: Router) -> None:
    """While a job wants an offer and has an eligible ready worker: the first such job goes to the best.

    Where others score the workers and there are several, they are asked, and the job waits for them. What one
    portion of offers and questions does not finish is set aside.
    """
    for job in r.jobs.values():
        job.filling = job.filling and job.status == "queued"
    match(r)
    if r.issued >= r.portion:
        set_aside(r)
    for job in r.jobs.values():
        job.ranking = []
    r.changed_jobs.clear()
    r.changed_workers.clear()


def match(r: Router) -> None:
    """The rule, as far as the portion goes."""
    while r.issued < r.portion and act(r):
        pass


def act(r: Router) -> bool:
    """One offer or question; false when the router is at rest."""
    for job in sorted(r.queued(r.jobs.values()), key=lambda j: j.place):
        if not wants(r, job) or (rankings.holds(r, job) and not job.ranking):
            continue
        ready = candidates(r, job)
        if ranked := rankings.best(job, ready):
            issue(r, job, *ranked, ranked=len(job.ranking))
            return True
        if not ready or rankings.holds(r, job):
            continue
        if len(ready) == 1 or not rankings.lets_others_score(r, job.queue):
            issue(r, job, best(r, job, ready))
            return True
        if rankings.ask(r, job):
            return True
    return False


def candidates(r: Router, job: Job) -> list[Worker]:
    """The workers that it may be offered to now."""
    asked = {offer.worker for offer in r.open_offers(job)}
    return [w for w in r.workers.values() if w.id not in asked and eligible(r, w, job)]


def set_aside(r: Router) -> None:
    """Of what this call has changed: jobs that want more offers, workers that have more room."""
    jobs = [j for j in r.queued(r.jobs[i] for i in r.changed_jobs if i in r.jobs) if wants(r, j)]
    workers = [r.workers[i] for i in r.changed_workers if i in r.workers]
    workers = [w for w in workers if w.available and not w.filling]
    workers = [w for w in workers if any(has_room(r, w, channel.id) for channel in w.channel_list)]
    for job in jobs:
        job.filling = True
    for worker in workers:
        worker.filling = r.number()
    if jobs or workers:
        r.agenda["fill:"] = r.now


def fill_due(r: Router, rest: str) -> None:
    """A portion of what was set aside goes on: jobs in queue order, workers as they were set aside."""
    jobs = sorted((j for j in r.jobs.values() if j.filling), key=lambda j: j.place)
    workers = sorted((w for w in r.workers.values() if w.filling), key=lambda w: (w.filling, w.id.encode()))
    if not jobs and not workers:
        return
    r.number()
    for job in jobs[: r.portion]:
        job.filling = False
        take_policy(r, job)
    for worker in workers[: r.portion]:
        worker.filling = 0
        r.changed_workers.add(worker.id)
    if jobs[r.portion :] or workers[r.portion :]:
        r.agenda["fill:"] = r.now


def wants(r: Router, job: Job) -> bool:
    """Has it fewer open offers than its queue's policy allows?"""
    return not job.filling and not job.scoring and len(r.open_offers(job)) < job.max_offers


def eligible(r: Router, w: Worker, job: Job) -> bool:
    """Semantics 7.2, condition by condition, but that it has no offer of the job yet."""
    return (
        w.available
        and not w.filling
        and job.queue in w.queue_ids
        and has_room(r, w, job.channel)
        and not barred(w, job)
        and selected(w, job)
    )


def has_room(r: Router, w: Worker, channel_id: str) -> bool:
    """Capacity, the channel's maximum, and the number of open offers."""
    channel = w.channel(channel_id)
    return (
        channel is not None
        and w.used + channel.cost <= w.capacity
        and (channel.most is None or w.held(channel_id) < channel.most)
        and len(w.offers) < offer_limit(r, w)
    )


def offer_limit(r: Router, w: Worker) -> int:
    """Open offers that it may have at most."""
    return min(w.max_offers or r.settings["worker_offers"], r.settings["worker_offers"])


def barred(w: Worker, job: Job) -> bool:
    """Has it declined the job in this registration, with no retry time that has come?"""
    return w.id in job.bars


def selected(w: Worker, job: Job) -> bool:
    """Do all active selectors hold, or does the policy bypass them?"""
    labels = w.label_values
    return job.bypass or all(s.holds(labels) for s in job.active_selectors())


def best(r: Router, job: Job, candidates: list[Worker]) -> Worker:
    """The best of the eligible workers by the mode of the job's queue."""
    policy = r.distribution(job.queue)
    if policy["mode"] == "roundRobin":
        return next_in_turn(r.queues[job.queue].last_offered, candidates)
    if policy["mode"] == "bestWorker":
        sign = -1 if policy["descending"] else 1

        def worse(w: Worker) -> tuple[bool, float, float, int]:
            total, raw = scored(str(policy["rules"]), job, w)
            return (total is None, sign * (total or 0.0), sign * raw, w.since)

        return min(candidates, key=worse)
    return min(candidates, key=lambda w: (level(w), w.since))


def level(w: Worker) -> int:
    """The load level: ratios of equal level count as equal."""
    return w.used * LEVELS // w.capacity if w.capacity > 0 else 0


def next_in_turn(last: str | None, candidates: list[Worker]) -> Worker:
    """The first by id after the worker that last got an offer of this queue, and around."""
    in_order = sorted(candidates, key=lambda w: w.id.encode())
    after = [w for w in in_order if last is None or w.id.encode() > last.encode()]
    return (after or in_order)[0]


def issue(r: Router, job: Job, w: Worker, score: float | None = None, ranked: int | None = None) -> None:
    """Offers the job to the worker: its cost is reserved until the offer ends."""
    channel = w.channel(job.channel)
    assert channel is not None
    r.offers_made += 1
    r.issued += 1 + len(f"{job.labels}{job.tags}{w.labels}{w.tags}".encode()) // OFFER_BYTES
    offer = Offer(
        place=r.offers_made,
        id=r.new_id("offer"),
        job=job.id,
        worker=w.id,
        queue=job.queue,
        channel=job.channel,
        cost=channel.cost,
        offered_at=r.now,
        expires_at=r.now + int(str(r.distribution(job.queue)["expires_ms"])),
    )
    decision = decision_of(r, job, w, score, ranked)
    w.offers[offer.id] = offer
    w.idle_from = r.now
    if r.distribution(job.queue)["mode"] == "roundRobin":
        # read: the cursor counts the offers made by this mode, not those made while the queue had another
        r.queues[job.queue].last_offered = w.id
    r.agenda[events.offer_row(offer)] = offer.expires_at
    events.offer_issued(r, job, w, offer, decision)


def decision_of(r: Router, job: Job, w: Worker, score: float | None, ranked: int | None) -> Reply:
    """What the rule says of an offer that is about to be made. How it was searched for is not the rule's.

    ``score`` is what others have said, ``ranked`` of how many.
    """
    policy = r.distribution(job.queue)
    decision: Reply = {
        "mode": policy["mode"],
        "offer": len(r.open_offers(job)) + 1,
        "worker": {
            "used": w.used,
            "capacity": w.capacity,
            "offers": len(w.offers),
            "assignments": len(w.assignments),
            "availableSince": w.since,
        },
    }
    if ranked is None and asks_one(job):
        return decision
    if policy["mode"] == "bestWorker" and not rankings.lets_others_score(r, job.queue):
        score, _ = scored(str(policy["rules"]), job, w)
    if score is not None:
        decision["score"] = score
    if ranked is not None:
        decision["ranked"] = ranked
    last = r.queues[job.queue].last_offered
    if policy["mode"] == "roundRobin" and last is not None:
        decision["after"] = last
    return decision


def asks_one(job: Job) -> bool:
    """Does it name the one worker that may be asked? Then nobody is ranked."""
    active = [] if job.bypass else job.active_selectors()
    return any(s.key == '"Id"' and s.operator == "=" and s.value.startswith('"') for s in active)
