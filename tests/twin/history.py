"""The life of a job or worker: its events that are kept, newest first."""

from __future__ import annotations

from collections.abc import Callable

from engine import commands as c
from engine.errors import Refused
from tests.twin.model import Entry, Event, Job, Reply, Router, Worker

Told = tuple[str, Entry, Event]
"""Its place, its entry, and the event."""


def of_job(r: Router, a: c.JobHistory) -> Reply:
    job = r.jobs.get(a.id)
    present: Reply = {"status": job.status, "offers": len(r.open_offers(job))} if job else {}
    return page(r, a, job, present, lambda event: event.job, 0)


def of_worker(r: Router, a: c.WorkerHistory) -> Reply:
    worker = r.workers.get(a.id)
    present: Reply = {}
    if worker:
        held = {"offers": len(worker.offers), "assignments": len(worker.assignments)}
        present = {"state": worker.state, **held}
    return page(r, a, worker, present, lambda event: event.worker, 1)


def page(
    r: Router,
    a: c.JobHistory | c.WorkerHistory,
    stored: Job | Worker | None,
    present: Reply,
    subject: Callable[[Event], Job | Worker | None],
    side: int,
) -> Reply:
    """One page: of the life that goes on, or of that which the event ``before`` belongs to."""
    told = [x for x in all_of(r) if (of := subject(x[2])) and of.id == a.id]
    if a.before:
        name = ("jobId", "workerId")[side]
        at, event = next(((e.at, x) for p, e, x in all_of(r) if p == a.before), (0, None))
        if is_kept(r, a.before) and (not event or event.data.get(name) != a.id):
            raise Refused("INVALID", "")
        if not event and not stored:
            raise Refused("NOT_FOUND", "")
        ends_at, link = at, event.links.split(",")[side] if event else a.before
    elif stored:
        ends_at, link = 0, stored.event or "-"
    else:
        raise Refused("NOT_FOUND", "The item was not found.")
    life: list[Told] = []
    for x in reversed(told):
        if x[0] == link:
            life.append(x)
            link = x[2].links.split(",")[side]
    rows = life[: a.limit]
    more, cut = len(life) > a.limit, link != "-"
    if len(life) == a.limit and cut:
        # what is not kept is not looked at before it is asked for
        more, cut = True, False
    return {
        "now": r.now,
        "ends_at": ends_at,
        "next": rows[-1][0] if more else "",
        "cut": link if cut and not more else "",
        "oldest": r.entries[0].op if cut and not more and r.entries else 0,
        **present,
        "rows": [
            {"place": p, "op": e.op, "at": e.at, "call": e.call, "request": e.request, "kind": x.kind}
            for p, e, x in rows
        ],
    }


def all_of(r: Router) -> list[Told]:
    """All events that are kept."""
    return [(f"{e.op}.{k}", e, event) for e in r.entries for k, event in enumerate(e.events, 1)]


def is_kept(r: Router, place: str) -> bool:
    """Is there an entry of this number?"""
    return any(str(entry.op) == place.split(".")[0] for entry in r.entries)
