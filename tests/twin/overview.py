"""Queues and workers as they stand, for those who watch."""

from __future__ import annotations

from collections import Counter

from engine import commands as c
from tests.twin.model import Job, Queue, Reply, Router, Worker
from tests.twin.policies import listed, longest_wait, page, wait_minutes

LOOKED = 20


def queues(r: Router, a: c.QueueOverview) -> Reply:
    return page(listed(r.queues.values()), lambda q: True, a.cursor, a.limit, lambda q: queue(r, q))


def queue(r: Router, q: Queue) -> Reply:
    waiting = r.queued_in(q.id)
    counts = Counter(j.priority for j in waiting)
    looked = waiting[:LOOKED]
    return {
        "id": q.id,
        "name": q.name,
        "length": len(waiting),
        "longest_ms": longest_wait(r, waiting),
        "wait_minutes": wait_minutes(r, q, sum(j.place < (1, 0) for j in waiting) + 1, waiting),
        "workers": sum(q.id in w.queue_ids for w in r.workers.values()),
        "active": sum(w.available and q.id in w.queue_ids for w in r.workers.values()),
        "looked": len(looked),
        "unmatchable": sum(not any(could_take(w, j) for w in r.workers.values()) for j in looked),
        "priorities": [n for p in sorted(counts, reverse=True) for n in (p, counts[p])],
    }


def could_take(w: Worker, job: Job) -> bool:
    """Is it an active worker of the queue that fits, but for its load? Of Ids only one asked for counts."""
    if not w.available or job.queue not in w.queue_ids or not w.channel(job.channel):
        return False
    selectors = [] if job.bypass else job.active_selectors()
    by_id = [s for s in selectors if s.key == '"Id"']
    if any(s.operator == "=" and s.value.startswith('"') for s in by_id):
        return all(s.holds(w.label_values) for s in selectors)
    return all(s.holds(w.label_values) for s in selectors if s.key != '"Id"')


def workers(r: Router, a: c.WorkerOverview) -> Reply:
    rows = [w for w in r.workers.values() if not a.queue or a.queue in w.queue_ids]
    return page(listed(rows), lambda w: True, a.cursor, a.limit, lambda w: worker(r, w))


def worker(r: Router, w: Worker) -> Reply:
    last = next((e.at for e in r.entries if w.event and e.op == int(w.event.partition(".")[0])), 0)
    offers = sorted(w.offers.values(), key=lambda o: (o.offered_at, o.id))
    assignments = sorted(w.assignments.values(), key=lambda one: (-one.assigned_at, one.id))
    return {
        "id": w.id,
        "state": w.state,
        "used": w.used,
        "capacity": w.capacity,
        "since_ms": last,
        "offers": [
            [x for pair in offer.items() for x in pair]
            for offer in (
                {
                    "id": o.id,
                    "job": o.job,
                    "queue": o.queue,
                    "channel": o.channel,
                    "offered_at": o.offered_at,
                    "expires_at": o.expires_at,
                }
                for o in offers
                if not o.void and o.expires_at > r.now
            )
        ],
        "assignments": [
            ["id", one.id, "job", one.job, "channel", one.channel, "assigned_at", one.assigned_at]
            for one in assignments
        ],
    }
