"""Takes away what an explanation names, one reason after the other, until the offer appears.

While a reason is left there must be no offer, and with the last one there must be: what is named is what is
in the way, all of it and nothing else.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from typing import TYPE_CHECKING

from engine import commands as c
from tests.twin.model import Job, Router, Worker
from tests.twin.placeholders import patched
from tests.twin.selectors import text_of
from tests.twin.texts import lines
from tests.twin.why import Codes, of_job, of_pair

if TYPE_CHECKING:
    from tests.twin.driver import Pair

MOST = 40
"""Reasons that are taken away from one pair: some make others, as a lifted limit a full worker."""
SWEEPS = 500
HUGE = 1_000_000
ORDER = {"behind_jobs"}
"""Says who comes first, not what is in the way."""

Removal = Callable[[Router, Job, Worker], list[c.Command]]


class NotNamed(AssertionError):
    """An offer is there although a reason is, or there is neither."""


def appears(pair: Pair, job_id: str, worker_id: str, dice: random.Random) -> bool:
    """Takes all reasons away. False when one cannot be, or the job has come to its end on the way."""
    r = pair.state
    for _ in range(MOST):
        job, worker = r.jobs.get(job_id), r.workers.get(worker_id)
        if job is None or worker is None or job.status not in ("queued", "scheduled", "waitingForActivation"):
            return False
        pair.explain(job_id, worker_id)
        left = {*of_job(r, job), *of_pair(r, job, worker)}
        names = {code[0] for code in left} - ORDER
        offered = any(offer.worker == worker_id for offer in r.open_offers(job))
        if offered != ("already_offered" in names):
            raise NotNamed(f"{job_id}, {worker_id}: offered is {offered}, but {names} are named")
        if offered:
            return True
        if not names:
            raise NotNamed(f"{job_id}, {worker_id}: there is no offer, and no reason is named")
        ways = [way for name in sorted(names) if (way := way_of(name, r, job, worker, left))]
        if not ways:
            return False
        for command in dice.choice(ways):
            pair.run(command, r.now)
        sweep(pair)
    return False


def sweep(pair: Pair) -> None:
    """Does what is due, until nothing is: jobs and workers that were set aside go on."""
    for _ in range(SWEEPS):
        if min(pair.state.agenda.values(), default=pair.state.now + 1) > pair.state.now:
            return
        pair.run(c.AgendaDue(), pair.state.now)


def way_of(name: str, r: Router, job: Job, w: Worker, left: Codes) -> list[c.Command]:
    """The commands that take a reason away; none where no client can."""
    if name == "selector_failed":
        failed = [code[1:] for code in left if code[0] == name]
        return without_selector(r, job, failed)
    way = WAYS.get(name)
    return way(r, job, w) if way else []


def worker(w: Worker, **changes: object) -> c.Command:
    """A worker with some of its properties changed."""
    names = ("available", "capacity", "queues", "channels", "labels", "tags", "max_offers")
    given = {name: getattr(w, name) for name in names} | changes
    return c.WorkerUpsert(id=w.id, doc=w.doc, **given)  # type: ignore[arg-type]


def with_line(text: str, line: str) -> str:
    return f"{text}\n{line}" if text else line


def without_maximum(w: Worker, channel: str) -> str:
    """The channels of a worker, one of them without its maximum."""
    rows = (line.split("\t") for line in lines(w.channels))
    return "\n".join("\t".join([*row[:2], "" if json.loads(row[0]) == channel else row[2]]) for row in rows)


def without_selector(r: Router, job: Job, failed: list[tuple[str, ...]]) -> list[c.Command]:
    """The job without its first requested selector that fails; its policy's own stay."""
    attached = {(s.key, s.operator, s.value) for s in job.selector_list[len(lines(job.selectors)) :]}
    cores = [core for core in sorted(failed) if core not in attached]
    if not cores:
        return []
    kept = [s for s in job.selector_list if (s.key, s.operator, s.value) not in (cores[0], *attached)]
    requested = [s for s in kept if s.line in lines(job.selectors)]
    text = "\n".join(line.rsplit("\t", 1)[0] + "\t" for line in lines(text_of(requested)))
    update = c.JobUpdate(job.id, doc=job.doc, selectors=text)
    return [patched(update, frozenset({"selectors"}), r, 0)]


def activation(r: Router, job: Job, w: Worker) -> list[c.Command]:
    update = c.JobUpdate(job.id, doc=job.doc, mode="queueAndMatch")
    return [patched(update, frozenset({"mode", "schedule_at"}), r, 0)]


def more_offers(r: Router, job: Job, w: Worker) -> list[c.Command]:
    """As many as there are workers: those that outrank this one are asked as well."""
    policy = r.policies["distribution", r.queues[job.queue].distribution]
    same = ("expires_ms", "mode", "bypass", "descending", "rules", "document")
    fields = {name: policy.fields[name] for name in same}
    return [c.PolicyUpsert("distribution", policy.id, doc=policy.doc, max_offers=HUGE, **fields)]  # type: ignore[arg-type]


def anew(r: Router, job: Job, w: Worker) -> list[c.Command]:
    """It signs off and on."""
    again = c.WorkerUpsert(**{**worker_fields(w), "doc": w.doc + 1, "available": True})  # type: ignore[arg-type]
    return [worker(w, available=False), again]


def own_limit(r: Router, job: Job, w: Worker) -> list[c.Command]:
    """It has the router's limit instead of its own; that of the router is not lifted while it runs."""
    return [worker(w, max_offers=0)] if len(w.offers) < r.settings["worker_offers"] else []


def worker_fields(w: Worker) -> dict[str, object]:
    command = worker(w)
    return {name: getattr(command, name) for name in command.__struct_fields__}


WAYS: dict[str, Removal] = {
    "scheduled": activation,
    "suspended": activation,
    "job_set_aside": lambda r, job, w: [c.AgendaDue()],
    "worker_set_aside": lambda r, job, w: [c.AgendaDue()],
    "maximum_of_offers": more_offers,
    "not_registered": lambda r, job, w: [worker(w, available=True)],
    "not_on_queue": lambda r, job, w: [worker(w, queues=with_line(w.queues, json.dumps(job.queue)))],
    "channel_missing": lambda r, job, w: [
        worker(w, channels=with_line(w.channels, f"{json.dumps(job.channel)}\t0\t"))
    ],
    "declined": anew,
    "capacity_full": lambda r, job, w: [worker(w, capacity=HUGE)],
    "channel_maximum": lambda r, job, w: [worker(w, channels=without_maximum(w, job.channel))],
    "offer_limit": own_limit,
}
