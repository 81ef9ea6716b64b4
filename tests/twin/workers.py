"""Workers: registration and its end, updates and what they revoke (semantics 3)."""

from __future__ import annotations

from engine import commands as c
from engine.errors import Refused
from tests.twin import events, offers
from tests.twin.model import IDLE, Channel, Offer, Reply, Router, Worker
from tests.twin.policies import check_counters, listed, page
from tests.twin.texts import lines

PROPERTIES = {
    "available": "AvailableForOffers",
    "capacity": "TotalCapacity",
    "queues": "QueueAssignments",
    "labels": "Labels",
    "tags": "Tags",
    "channels": "ChannelConfigurations",
}

REACH = 10_000
"""Queues of a worker times its labels and channels, at most."""


def revise(r: Router, worker: Worker) -> None:
    worker.rev += 1
    worker.modified_at = r.now


def held(worker: Worker) -> list[Offer]:
    """Its open offers, oldest first (ids decide within one instant)."""
    return sorted(worker.offers.values(), key=lambda o: (o.offered_at, o.id))


def register(r: Router, worker: Worker) -> None:
    """It becomes active: a new registration lifts all its bars."""
    worker.available = True
    r.changed_workers.add(worker.id)
    lift_bars(r, worker)
    worker.registration = worker.since = r.number()
    worker.idle_from = r.now
    r.agenda[f"idle:{worker.id}"] = r.now + IDLE
    events.worker_event(r, "Registered", worker)


def lift_bars(r: Router, worker: Worker) -> None:
    for job in r.jobs.values():
        job.bars.discard(worker.id)


def deregister(r: Router, worker: Worker) -> None:
    """Its offers are revoked; with assignments it drains, without it is inactive."""
    offers.revoke_held(r, held(worker))
    worker.available, worker.filling = False, 0
    revise(r, worker)
    r.agenda.pop(f"idle:{worker.id}", None)
    events.worker_deregistered(r, worker)


def idle_due(r: Router, worker_id: str) -> None:
    """More than seven days without an open offer or an assignment: deregistered."""
    worker = r.workers.get(worker_id)
    if not worker or not worker.available:
        return
    busy = worker.offers or worker.assignments
    due = (r.now if busy else worker.idle_from) + IDLE
    if due > r.now:
        r.agenda[f"idle:{worker_id}"] = due
        return
    r.number()
    deregister(r, worker)


def upsert(r: Router, a: c.WorkerUpsert) -> Reply:
    worker = r.workers.get(a.id)
    if check_counters(worker, a.doc, a.rev):
        assert worker
        return {"outcome": "exists", "op": r.op, **worker.record()}
    served, more = len(lines(a.queues)), len(lines(a.labels)) + len(lines(a.channels))
    if a.capacity < 0 or a.max_offers < 0 or served * more > REACH:
        raise Refused("INVALID", "")
    number = r.number()
    outcome = "updated" if worker else "created"
    if not worker:
        worker = r.workers[a.id] = Worker(a.id, doc=0, rev=0, created=number)
    changed = {name for name in [*PROPERTIES, "max_offers"] if getattr(worker, name) != getattr(a, name)}
    was_active = worker.available
    if was_active and not a.available:
        deregister(r, worker)
    channels_before = {x.id: x for x in worker.channel_list}
    for name in changed - {"available"}:
        setattr(worker, name, getattr(a, name))
    worker.doc += 1
    revise(r, worker)
    told = [PROPERTIES[name] for name in PROPERTIES if name in changed]
    if outcome == "updated" and told:
        events.worker_event(r, "Updated", worker, updatedWorkerProperties=told)
    if was_active and a.available:
        revoke_broken(r, worker, changed, channels_before)
    elif a.available:
        register(r, worker)
    return {"outcome": outcome, "op": number, **worker.record()}


def revoke_broken(r: Router, worker: Worker, changed: set[str], channels_before: dict[str, Channel]) -> None:
    """Semantics 3.4: all on new labels; of lost queues and changed channels; the newest while too many."""
    if not changed - {"available", "tags"}:
        return
    # it enters another class, so it is looked at anew
    worker.filling = 0
    r.changed_workers.add(worker.id)
    channels = {x.id: x for x in worker.channel_list}
    broken = []
    for offer in held(worker):
        channel = channels.get(offer.channel)
        # a void offer may be of a channel that the worker had in former times
        moved = channel is None or channel != channels_before.get(offer.channel, channel)
        if "labels" in changed or offer.queue not in worker.queue_ids or moved:
            broken.append(offer)
    for offer in reversed(held(worker)):
        if offer not in broken and worker.used - sum(o.cost for o in broken) > worker.capacity:
            broken.append(offer)
    offers.revoke_held(r, broken)


def delete(r: Router, a: c.WorkerDelete) -> Reply:
    worker = r.workers.get(a.id)
    if not worker:
        return {"outcome": "absent", "op": r.op}
    if worker.assignments:
        raise Refused("IN_USE", "assignments")
    offers.revoke_held(r, held(worker))
    r.orphans.update(worker.offers)
    r.agenda.pop(f"idle:{worker.id}", None)
    events.worker_event(r, "Deleted", worker)
    lift_bars(r, worker)
    del r.workers[a.id]
    return {"outcome": "deleted", "op": r.number()}


def read(r: Router, a: c.WorkerRead) -> Reply:
    if a.id not in r.workers:
        raise Refused("NOT_FOUND", "The item was not found.")
    return r.workers[a.id].record()


def list_page(r: Router, a: c.WorkerList) -> Reply:
    def room(w: Worker) -> bool:
        return any(
            w.used + ch.cost <= w.capacity and (ch.most is None or w.held(ch.id) < ch.most)
            for ch in w.channel_list
            if a.channel in ("", ch.id)
        )

    def fits(w: Worker) -> bool:
        return (
            a.state in ("", w.state)
            and (not a.channel or w.channel(a.channel) is not None)
            and (not a.has_capacity or room(w))
        )

    rows = [w for w in r.workers.values() if not a.queue or a.queue in w.queue_ids]
    return page(listed(rows), fits, a.cursor, a.limit)
