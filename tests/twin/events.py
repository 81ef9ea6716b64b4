"""Event payloads of semantics 13; where two names compete, both are sent."""

from __future__ import annotations

import json

from tests.twin.model import Job, Offer, Reply, Router, Worker
from tests.twin.selectors import Selector, parse
from tests.twin.texts import as_object, iso

OPERATORS = {
    "=": "Equal",
    "!=": "NotEqual",
    "<": "Less",
    "<=": "LessThanOrEqual",
    ">": "Greater",
    ">=": "GreaterThanOrEqual",
}


def offer_row(offer: Offer) -> str:
    """The agenda row of an offer's expiry."""
    return f"offer:{offer.id}:{offer.worker}"


def selector(job: Job, s: Selector) -> Reply:
    """A selector as events show it (EGT names)."""
    shown: Reply = {"key": json.loads(s.key), "labelOperator": OPERATORS[s.operator]}
    if s.value:
        shown["value"] = json.loads(s.value)
    if s.seconds:
        shown["ttlSeconds"] = json.loads(s.seconds)
    expires = s.expires_at(job.enqueued_at)
    shown["expedite"] = s.expedite
    shown["state"] = "expired" if expires is not None and expires <= job.expired_to else "active"
    if expires is not None:
        shown["expirationTime"] = iso(expires)
    return shown


def base(job: Job, queue: str) -> Reply:
    """The set J of semantics 13.2."""
    shown: Reply = {"jobId": job.id, "channelId": job.channel}
    if job.reference:
        shown["channelReference"] = job.reference
    if queue:
        shown["queueId"] = queue
    shown["labels"] = as_object(job.labels)
    shown["tags"] = as_object(job.tags)
    return shown


def job_event(r: Router, kind: str, job: Job, subject: str = "", **data: object) -> None:
    tell(r, kind, job, subject, base(job, job.queue) | data)


def tell(r: Router, kind: str, job: Job, subject: str, data: Reply, freed: Worker | None = None) -> None:
    r.tell(f"RouterJob{kind}", f"job/{job.id}/channel/{job.channel}{subject}", data, job, freed)


def waiting(job: Job) -> Reply:
    """Priority and selectors of a waiting job."""
    return {
        "priority": job.priority,
        "requestedWorkerSelectors": [selector(job, s) for s in parse(job.selectors)],
        "attachedWorkerSelectors": [selector(job, s) for s in parse(job.attached)],
    }


def job_received(r: Router, job: Job) -> None:
    data = waiting(job)
    del data["attachedWorkerSelectors"]
    # C6: the status in this event tells where the job is going
    told = {
        "created": "Queued",
        "pendingClassification": "PendingClassification",
        "pendingSchedule": "PendingSchedule",
        "waitingForActivation": "WaitingForActivation",
    }
    data["jobStatus"] = told[job.status]
    aside = job.status in ("pendingSchedule", "waitingForActivation")
    if job.classification:
        # with a policy, the priority is not known yet
        del data["priority"]
        data["classificationPolicyId"] = job.classification
    job_event(r, "Received", job, "", **data, **scheduled_on(job), unavailableForMatching=aside)


def job_classified(r: Router, job: Job, selected: str, priority: int | None) -> None:
    """Queue and priority are told where the policy has found them."""
    data = base(job, selected)
    data["classificationPolicyId"] = job.classification
    data["attachedWorkerSelectors"] = waiting(job)["attachedWorkerSelectors"]
    if selected:
        data["queueDetails"] = queue_assignment(r, selected)
    if priority is not None:
        data["priority"] = priority
    tell(r, "Classified", job, f"/queue/{job.queue}", data)


def job_classification_failed(r: Router, job: Job, code: str, message: str, target: str) -> None:
    error = {"code": code, "message": message} | ({"target": target} if target else {})
    data = base(job, "") | {"classificationPolicyId": job.classification, "errors": [error]}
    tell(r, "ClassificationFailed", job, f"/classificationpolicy/{job.classification}", data)


def job_queued(r: Router, job: Job) -> None:
    job_event(r, "Queued", job, f"/queue/{job.queue}", **waiting(job))


def job_waiting_for_activation(r: Router, job: Job) -> None:
    data = waiting(job) | scheduled_on(job)
    active = job.active_selectors()
    for name, text in (("Requested", job.selectors), ("Attached", job.attached)):
        expired = [selector(job, s) for s in parse(text) if s not in active]
        data[f"expired{name}WorkerSelectors"] = expired
    job_event(r, "WaitingForActivation", job, "", **data, unavailableForMatching=True)


def scheduled_on(job: Job) -> Reply:
    return {"scheduledOn": iso(job.schedule_at)} if job.schedule_at else {}


def job_selectors_expired(r: Router, job: Job, expired: list[Selector]) -> None:
    requested, attached = parse(job.selectors), parse(job.attached)
    first = [selector(job, s) for s in requested if s in expired]
    second = [selector(job, s) for s in attached if s in expired]
    job_event(
        r,
        "WorkerSelectorsExpired",
        job,
        f"/queue/{job.queue}",
        requestedWorkerSelectorsExpired=first,
        attachedWorkerSelectorsExpired=second,
        expiredRequestedWorkerSelectors=first,
        expiredAttachedWorkerSelectors=second,
    )


def job_exception_triggered(r: Router, job: Job, rule_id: str) -> None:
    job_event(
        r,
        "ExceptionTriggered",
        job,
        f"/exceptionrule/{rule_id}",
        ruleKey=rule_id,
        exceptionRuleId=rule_id,
    )


def assignment_event(r: Router, kind: str, job: Job, assignment: str, worker: str, **data: object) -> None:
    """The end of an assignment, which frees its worker, is an event of that worker too."""
    data = base(job, job.queue) | {"assignmentId": assignment, "workerId": worker} | data
    freed = None if kind == "Completed" else r.workers[worker]
    tell(r, kind, job, f"/assignment/{assignment}", data, freed)


def job_cancelled(r: Router, job: Job, note: str, freed: Worker | None) -> None:
    more: Reply = {"note": json.loads(note)} if note else {}
    code = job.disposition
    data = base(job, job.queue) | {"dispositionCode": code} | more
    if freed:
        data |= {"assignmentId": job.assignment, "workerId": freed.id}
    tell(r, "Cancelled", job, f"/disposition/{code}", data, freed)


def job_deleted(r: Router, job: Job) -> None:
    job_event(r, "Deleted", job)


def offer_event(
    r: Router, kind: str, job: Job | None, worker: Worker | None, offer: Offer, **data: object
) -> None:
    """The set W of semantics 13.2, the queue and the offer; queue and channel are those it was made for."""
    shown: Reply = {"workerId": offer.worker, "jobId": offer.job, "channelId": offer.channel}
    if job and job.reference:
        shown["channelReference"] = job.reference
    shown |= {"queueId": offer.queue, "offerId": offer.id} | data
    r.tell(f"RouterWorkerOffer{kind}", f"worker/{offer.worker}/job/{offer.job}", shown, job, worker)


def both_sides(job: Job, worker: Worker) -> Reply:
    return {
        "jobPriority": job.priority,
        "jobLabels": as_object(job.labels),
        "jobTags": as_object(job.tags),
        "workerLabels": as_object(worker.labels, worker.id),
        "workerTags": as_object(worker.tags),
    }


def offer_issued(r: Router, job: Job, worker: Worker, offer: Offer, decision: Reply) -> None:
    times = {"offeredOn": iso(offer.offered_at), "expiresOn": iso(offer.expires_at)}
    offer_event(r, "Issued", job, worker, offer, **times, **both_sides(job, worker), decision=decision)


def offer_accepted(r: Router, job: Job, worker: Worker, offer: Offer, assignment: str) -> None:
    offer_event(r, "Accepted", job, worker, offer, assignmentId=assignment, **both_sides(job, worker))


def worker_event(r: Router, kind: str, worker: Worker, **data: object) -> None:
    """The form of Registered, Updated and Deleted."""
    shown: Reply = {
        "workerId": worker.id,
        "totalCapacity": worker.capacity,
        "queueAssignments": [queue_assignment(r, q) for q in worker.queue_ids],
        "labels": as_object(worker.labels, worker.id),
        "tags": as_object(worker.tags),
        "channelConfigurations": [
            {"channelId": c.id, "capacityCostPerJob": c.cost}
            | ({"maxNumberOfJobs": c.most} if c.most else {})
            for c in worker.channel_list
        ],
    }
    r.tell(f"RouterWorker{kind}", f"worker/{worker.id}", shown | data, None, worker)


def queue_assignment(r: Router, queue_id: str) -> Reply:
    queue = r.queues.get(queue_id)
    shown: Reply = {"id": queue_id, "labels": as_object(queue.labels if queue else "", queue_id)}
    if queue and queue.name:
        shown["name"] = queue.name
    return shown


def worker_deregistered(r: Router, worker: Worker) -> None:
    r.tell("RouterWorkerDeregistered", f"worker/{worker.id}", {"workerId": worker.id}, None, worker)
