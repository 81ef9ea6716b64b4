"""The naive router: one call at a time, what is due first (design 3 rule 9, 6, 7)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from engine import commands as c
from engine.errors import Refused
from tests.twin import (
    exceptions,
    history,
    jobs,
    offers,
    overview,
    policies,
    schedules,
    tasks,
    watching,
    workers,
)
from tests.twin.matching import candidates, fill_due, settle
from tests.twin.model import Reply, Router, Worker


def _update(upsert: Callable[[Router, Any], Reply]) -> Callable[[Router, Any], Reply]:
    """The same of what is there already."""

    def update(r: Router, command: Any) -> Reply:
        if command.doc == 0:
            raise Refused("BAD_CALL", "doc is missing: this replaces what is there")
        return upsert(r, command)

    return update


WRITES: dict[type[c.Command], Callable[[Router, Any], Reply]] = {
    c.PolicyUpsert: policies.policy_upsert,
    c.PolicyUpdate: _update(policies.policy_upsert),
    c.PolicyDelete: policies.policy_delete,
    c.QueueUpsert: policies.queue_upsert,
    c.QueueUpdate: _update(policies.queue_upsert),
    c.QueueDelete: policies.queue_delete,
    c.WorkerUpsert: workers.upsert,
    c.WorkerUpdate: _update(workers.upsert),
    c.WorkerDelete: workers.delete,
    c.OfferAccept: offers.accept,
    c.OfferDecline: offers.decline,
    c.AssignmentComplete: offers.complete,
    c.AssignmentClose: offers.close,
    c.AssignmentUnassign: offers.unassign,
    c.JobCreate: jobs.create,
    c.JobUpdate: jobs.update,
    c.JobDelete: jobs.delete,
    c.JobCancel: jobs.cancel,
    c.JobReclassify: jobs.reclassify,
    c.TaskLease: tasks.lease,
    c.TaskAnswer: tasks.answer,
    c.ObserverLease: watching.lease,
    c.AllowanceLease: watching.allowance,
}

READS: dict[type[c.Command], Callable[[Router, Any], Reply]] = {
    c.PolicyRead: policies.policy_read,
    c.PolicyList: policies.policy_list,
    c.QueueRead: policies.queue_read,
    c.QueueList: policies.queue_list,
    c.QueueStatistics: policies.statistics,
    c.QueueOverview: overview.queues,
    c.QueueLoad: watching.load,
    c.WorkerRead: workers.read,
    c.WorkerList: workers.list_page,
    c.WorkerOverview: overview.workers,
    c.JobRead: jobs.read,
    c.JobList: jobs.list_page,
    c.JobPosition: jobs.position,
    c.JobHistory: history.of_job,
    c.WorkerHistory: history.of_worker,
}


class Twin:
    """The router as obvious Python; ``run`` has the same meaning as one FCALL."""

    def __init__(self, root: str) -> None:
        self.state = Router(root)

    def run(self, command: c.Command, now: int) -> Reply:
        """Runs one command at a time; raises Refused."""
        r = self.state
        r.now = now
        if type(command) in READS:
            return READS[type(command)](r, command)
        if isinstance(command, c.EventList):
            return event_list(r, command)
        self.due(now)
        return self.act(command)

    def due(self, now: int) -> None:
        """Does a batch of what is due, as every call does before its own work."""
        r = self.state
        r.now = now
        r.issued = r.revoked = r.ruled = r.told = 0
        run_due(r)

    def act(self, command: c.Command) -> Reply:
        """A command's own work at the present time; raises Refused."""
        r = self.state
        r.issued = r.revoked = r.ruled = r.told = 0
        if isinstance(command, c.AgendaDue):
            return agenda_due(r)
        if isinstance(command, c.SettingsWrite):
            reply = settings_write(r, command)
        else:
            reply = WRITES[type(command)](r, command)
        settle(r)
        r.finish(command.function, getattr(command, "request_id", ""))
        return reply

    def candidates(self, job_id: str) -> list[Worker]:
        """The workers that a job may be offered to now."""
        return candidates(self.state, self.state.jobs[job_id])


TOLD = 524_288
"""Bytes of labels and tags after which the rest of a batch waits."""


def run_due(r: Router) -> None:
    """At most one batch of what is due, by time and then by the row's text; each is complete in itself."""
    rows = sorted((due, row) for row, due in r.agenda.items() if due <= r.now)[: r.settings["batch"]]
    r.done = 0
    for _, row in rows:
        if max(r.issued, r.revoked) >= r.portion or r.ruled >= exceptions.WORK or r.told >= TOLD:
            break  # it is spent: the other rows wait for the next call
        if row not in r.agenda:
            continue  # an earlier row has taken it off
        del r.agenda[row]
        kind, rest = row.split(":", 1)
        do_row(r, kind, rest)
        settle(r)
        r.finish(kind, "")
        r.done += 1


def do_row(r: Router, kind: str, rest: str) -> None:
    if kind == "offer":
        offer_id, worker_id = rest[:36], rest[37:]
        worker = r.workers.get(worker_id)
        offer = worker.offers.get(offer_id) if worker else None
        if offer and not offer.void:
            offers.offer_due(r, offer)
    elif kind == "retry":
        size, text = rest.split(":", 1)
        raw = text.encode()
        offers.retry_due(r, raw[: int(size)].decode(), raw[int(size) :].decode())
    elif kind == "close":
        job = r.jobs.get(rest)
        if job and job.status == "completed" and job.close_at:
            r.number()
            offers.close_now(r, job)
    else:
        rows = {
            "exception": exceptions.due,
            "idle": workers.idle_due,
            "life": jobs.life_due,
            "selector": jobs.selector_due,
            "open": policies.open_due,
            "review": policies.review_due,
            "fill": fill_due,
            "revoke": offers.void_due,
            "schedule": schedules.due,
        }
        rows[kind](r, rest)


def agenda_due(r: Router) -> Reply:
    """The sweep: it alone tells that the router was not away. It also trims what is kept of the past."""
    allowed = r.settings["outage_ms"]
    if allowed and r.now - r.swept_at > allowed:
        r.gap = (r.swept_at, r.now)
    r.swept_at = r.now
    more = trim(r)
    due = min(r.agenda.values(), default=0)
    more = more or 0 < due <= r.now
    ends = [at + r.settings["keep_finished_ms"] for at in r.finished.values()]
    upcoming = min([*ends, *r.agenda.values()], default=0)
    return {"op": r.op, "done": r.done, "next": upcoming, "more": int(more)}


def trim(r: Router) -> bool:
    """One batch of each: events and finished jobs, by age and by count; true when there is more."""
    batch = r.settings["batch"]
    old = 0
    while old < min(batch, len(r.entries)) and r.entries[old].at <= r.now - r.settings["keep_events_ms"]:
        old += 1
    del r.entries[:old]
    many = max(0, len(r.entries) - r.settings["keep_events_count"])
    del r.entries[: min(many, batch)]
    aged = [i for i in oldest_first(r) if r.finished[i] <= r.now - r.settings["keep_finished_ms"]][:batch]
    for job_id in aged:
        jobs.remove(r, r.jobs[job_id])
    surplus = max(0, len(r.finished) - r.settings["keep_finished_count"])
    for job_id in oldest_first(r)[: min(surplus, batch)]:
        jobs.remove(r, r.jobs[job_id])
    return old == batch or many > batch or len(aged) == batch or surplus > batch


def oldest_first(r: Router) -> list[str]:
    return sorted(r.finished, key=lambda job_id: (r.finished[job_id], job_id.encode()))


def settings_write(r: Router, a: c.SettingsWrite) -> Reply:
    for name in r.settings:
        if getattr(a, name) < (0 if name == "outage_ms" else 1):
            raise Refused("BAD_CALL", "")
    if a.worker_offers != r.settings["worker_offers"] and r.workers:
        raise Refused("CONFLICT", "")
    r.settings = {name: getattr(a, name) for name in r.settings}
    return {"op": r.number()}


def event_list(r: Router, a: c.EventList) -> Reply:
    rows: list[Reply] = [
        {"op": e.op, "at": e.at, "call": e.call, "request": e.request, "prev": e.prev, "events": e.events}
        for e in r.entries
        if e.op > a.after
    ][: a.limit]
    return {
        "next": rows[-1]["op"] if rows else a.after,
        "rows": rows,
        "oldest": r.entries[0].op if r.entries else 0,
    }
