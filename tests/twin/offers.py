"""Offers and assignments, from issue to close (semantics 3.3, 4.2, 5, 11)."""

from __future__ import annotations

from engine import commands as c
from engine.errors import Refused
from tests.twin import events, jobs, workers
from tests.twin.matching import offer_limit
from tests.twin.model import REMEMBERED_OFFERS, Assignment, Job, Offer, Reply, Router, Worker
from tests.twin.policies import take_policy
from tests.twin.texts import sized


def end(r: Router, offer: Offer, how: str) -> None:
    """Ends an offer without acceptance: its capacity is free."""
    worker, job = holder(r, offer), r.jobs.get(offer.job)
    if worker:
        take_out(r, worker, offer)
        r.changed_workers.add(worker.id)
        if offer.lost:
            worker.lost = [*worker.lost, offer.id][-REMEMBERED_OFFERS:]
    else:
        del r.orphans[offer.id]
        r.agenda.pop(events.offer_row(offer), None)
    offer.void = False
    events.offer_event(r, how, job, r.workers.get(offer.worker), offer)
    if job and offer.counts:
        take_policy(r, job)


def holder(r: Router, offer: Offer) -> Worker | None:
    """The worker that holds it; none when that was deleted (another may have its id since)."""
    return None if offer.id in r.orphans else r.workers[offer.worker]


def take_out(r: Router, worker: Worker, offer: Offer) -> None:
    del worker.offers[offer.id]
    worker.idle_from = r.now
    r.agenda.pop(events.offer_row(offer), None)


def revoke_all(r: Router, job: Job, lost: bool = False) -> None:
    """Revokes all open offers of a job; the losers of an acceptance remember it."""
    offers = r.open_offers(job)
    for offer in offers:
        offer.counts = False
    if offers:
        take_policy(r, job)
    while offers and r.revoked < r.portion:
        offer = offers.pop(0)
        if holder(r, offer):
            offer.lost = offer.lost or lost
            revoke(r, offer)
    make_void(r, offers, lost)


def revoke_held(r: Router, offers: list[Offer]) -> None:
    """Revokes some of the offers that a worker holds."""
    while offers and r.revoked < r.portion:
        revoke(r, offers.pop(0))
    if offers:
        r.void_of_workers.add(r.number())
    make_void(r, offers)


def revoke(r: Router, offer: Offer) -> None:
    r.revoked += 1
    end(r, offer, "Revoked")


def make_void(r: Router, offers: list[Offer], lost: bool = False) -> None:
    """What exceeds the portion is over at once, and taken back by the agenda."""
    if not offers:
        return
    number = r.number()
    for offer in offers:
        offer.void, offer.lost = True, offer.lost or lost
    r.void[number] = offers
    r.agenda[f"revoke:{number}"] = r.now


def void_due(r: Router, number: str) -> None:
    """The next portion of void offers; some may have been taken back for another reason meanwhile."""
    r.number()
    offers = r.void[int(number)]
    portion = r.portion - r.revoked
    for offer in offers[:portion]:
        # those of a deleted worker are in the list that its deletion made
        if offer.void and (holder(r, offer) or int(number) in r.void_of_workers):
            revoke(r, offer)
    del offers[:portion]
    if offers:
        r.agenda[f"revoke:{number}"] = r.now
    else:
        del r.void[int(number)]


def find(r: Router, worker_id: str, offer_id: str, handler: str) -> Offer:
    """The open offer; from its expiry on there is none, whoever noticed (C40)."""
    worker = r.workers.get(worker_id)
    offer = worker.offers.get(offer_id) if worker else None
    if offer and offer.expires_at > r.now and not offer.void:
        return offer
    # only an acceptance is told that another was faster; a decline finds no offer (4.2)
    was_lost = worker and (offer.lost if offer else offer_id in worker.lost)
    if was_lost and handler == "AcceptOfferCommandHandler":
        raise Refused("TAKEN", "The job was already accepted by another worker.")
    raise Refused("NOT_FOUND", f"{handler}: Offer not found. OfferId: {offer_id}, WorkerId: {worker_id}")


def accept(r: Router, a: c.OfferAccept) -> Reply:
    """The reserved capacity becomes that of an assignment; all other offers of the job are revoked."""
    asked = r.workers.get(a.worker)
    for held in asked.assignments.values() if asked else ():
        # read: a repeat is known while the assignment is held, not after it was closed
        job = r.jobs[held.job]
        if a.request_id and job.accepted == (a.offer, a.request_id):
            return {"op": r.op, "assignment": job.assignment, "job": job.id, "worker": a.worker}
    offer = find(r, a.worker, a.offer, "AcceptOfferCommandHandler")
    worker, job = r.workers[a.worker], r.jobs[offer.job]
    assignment = r.new_id("assignment")
    take_out(r, worker, offer)
    if len(worker.offers) + 1 >= offer_limit(r, worker):
        r.changed_workers.add(worker.id)
    worker.assignments[assignment] = Assignment(assignment, job.id, offer.channel, offer.cost, r.now)
    events.offer_accepted(r, job, worker, offer, assignment)
    jobs.leave_queue(r, job, lost=True)
    jobs.move(r, job, "assigned")
    job.assignment, job.worker, job.assigned_at = assignment, worker.id, r.now
    job.accepted = (offer.id, a.request_id)
    count_acceptance(r, offer.queue)
    return {"op": r.number(), "assignment": assignment, "job": job.id, "worker": worker.id}


def count_acceptance(r: Router, queue_id: str) -> None:
    """C15: a moving average (weight 0.1) of the time between two acceptances in a queue."""
    queue = r.queues[queue_id]
    if queue.accepted_at is not None:
        gap = max(0, r.now - queue.accepted_at)
        queue.gap_ms = gap if queue.gap_ms is None else queue.gap_ms * 0.9 + gap * 0.1
    queue.accepted_at = r.now


def decline(r: Router, a: c.OfferDecline) -> Reply:
    """Bars the worker until its retry time (0: while registered); others may get the job at once (C9)."""
    asked = r.workers.get(a.worker)
    if a.request_id and asked and (a.offer, a.request_id) in asked.refused:
        return {"op": r.op}
    offer = find(r, a.worker, a.offer, "DeclineOfferCommandHandler")
    worker, job = r.workers[a.worker], r.jobs[offer.job]
    end(r, offer, "Declined")
    if a.retry_at == 0 or a.retry_at > r.now:
        # a retry time that has passed bars nothing: eligible immediately
        job.bars.add(worker.id)
    if a.request_id:
        worker.refused = [*worker.refused, (offer.id, a.request_id)][-REMEMBERED_OFFERS:]
    if a.retry_at > r.now:
        r.agenda[retry_row(job.id, worker.id)] = a.retry_at
    else:
        r.agenda.pop(retry_row(job.id, worker.id), None)
    return {"op": r.number()}


def retry_row(job_id: str, worker_id: str) -> str:
    return f"retry:{sized(job_id)}{worker_id}"


def retry_due(r: Router, job_id: str, worker_id: str) -> None:
    """The retry time has come: the bar is lifted. A row may outlive its bar; it then does nothing."""
    job = r.jobs.get(job_id)
    if job and worker_id in job.bars:
        job.bars.remove(worker_id)
        if job.status == "queued":
            r.number()
            take_policy(r, job)


def offer_due(r: Router, offer: Offer) -> None:
    """Its time is over: the worker is deregistered, unless nobody swept for too long (C41)."""
    worker = r.workers[offer.worker]
    r.number()
    if in_outage(r, offer.expires_at):
        end(r, offer, "Revoked")
        return
    end(r, offer, "Expired")
    workers.deregister(r, worker)


def in_outage(r: Router, time: int) -> bool:
    """Did this instant pass while nobody swept for longer than ``outage_ms``?"""
    allowed = r.settings["outage_ms"]
    if allowed == 0:
        return False
    begun, ended = r.gap
    # one that ends later than now is of a clock that was set back
    return begun < time <= ended <= r.now or (r.now - r.swept_at > allowed and time > r.swept_at)


# ---- assignments ---------------------------------------------------------------------------------


def assigned_job(r: Router, job_id: str, assignment_id: str) -> Job:
    job = jobs.find(r, job_id)
    if not assignment_id or job.assignment != assignment_id:
        raise Refused("NOT_FOUND", f"Assignment not found. AssignmentId: {assignment_id}, JobId: {job_id}")
    return job


def complete(r: Router, a: c.AssignmentComplete) -> Reply:
    """The job is done, its wrap-up begins; the capacity stays held."""
    job = assigned_job(r, a.job, a.assignment)
    if a.request_id and job.requests.get("complete") == a.request_id:
        return {"op": r.op}
    if job.status != "assigned":
        raise Refused("CONFLICT", "")
    jobs.move(r, job, "completed")
    job.completed_at = r.now
    if a.note:
        jobs.add_note(r, job, a.note)
        job.doc += 1
    events.assignment_event(r, "Completed", job, job.assignment, job.worker)
    jobs.remember(r, job, "complete", a.request_id)
    return {"op": r.number()}


def close(r: Router, a: c.AssignmentClose) -> Reply:
    """The wrap-up is over, now or at ``close_at``."""
    job = assigned_job(r, a.job, a.assignment)
    if a.request_id and job.requests.get("close") == a.request_id:
        return {"op": r.op}
    if job.status != "completed":
        raise Refused("CONFLICT", "")
    jobs.add_note(r, job, a.note)
    job.disposition = a.disposition or "Closed"
    job.doc += 1
    r.number()
    jobs.remember(r, job, "close", a.request_id)
    if a.close_at > r.now:
        job.close_at = a.close_at
        jobs.revise(r, job)
        r.agenda[f"close:{job.id}"] = a.close_at
    else:
        close_now(r, job)
    return {"op": r.number()}


def close_now(r: Router, job: Job) -> None:
    job.close_at = 0
    r.agenda.pop(f"close:{job.id}", None)
    # a PATCH may have taken the disposition away while the job waited for close_at
    job.disposition = job.disposition or "Closed"
    jobs.move(r, job, "closed")
    job.closed_at = r.now
    events.assignment_event(r, "Closed", job, job.assignment, job.worker, dispositionCode=job.disposition)
    release(r, job)
    jobs.finish(r, job)


def release(r: Router, job: Job) -> None:
    """Gives the worker back what the assignment used; the worker is available from now (C11)."""
    worker = r.workers[job.worker]
    del worker.assignments[job.assignment]
    worker.since = r.number()
    r.changed_workers.add(worker.id)
    worker.idle_from = r.now
    if not worker.available and not worker.assignments:
        workers.revise(r, worker)


def unassign(r: Router, a: c.AssignmentUnassign) -> Reply:
    """Takes the job away from its worker, at most ``unassign_limit`` times in one life (C36)."""
    job = jobs.find(r, a.job)
    if a.request_id and job.requests.get("unassign") == f"{a.assignment} {a.request_id}":
        return {"op": r.op, "job": job.id, "count": job.unassigned}
    assigned_job(r, a.job, a.assignment)
    if job.status != "assigned":
        raise Refused("CONFLICT", "")
    if job.unassigned_life >= r.settings["unassign_limit"]:
        raise Refused("LIMIT", "")
    assignment, worker = job.assignment, job.worker
    release(r, job)
    job.unassigned += 1
    job.unassigned_life += 1
    job.assignment, job.worker, job.assigned_at, job.accepted = "", "", 0, ("", "")
    jobs.remember(r, job, "unassign", a.request_id and f"{assignment} {a.request_id}")
    events.assignment_event(r, "Unassigned", job, assignment, worker)
    if a.suspend:
        # so that a later PATCH to queueAndMatch is a change
        job.mode, job.schedule_at = "suspend", 0
        job.doc += 1
        jobs.move(r, job, "waitingForActivation")
    else:
        jobs.enqueue(r, job)
    return {"op": r.number(), "job": job.id, "count": job.unassigned}
