"""Why a job is not offered: the reasons that the library gives, as structs."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Mapping
from typing import Any

import msgspec

from engine.commands import Command, JobExplain, JobPreview, WorkerExplain

MOST_SAMPLED = 10
"""Workers that are explained one by one beside the counts."""

MOST_QUEUES = 100
"""Queues that one explanation of a worker tells of, where there are so many."""

CODES = (
    "not_queued",
    "being_classified",
    "scheduled",
    "suspended",
    "job_set_aside",
    "being_scored",
    "waits_for_scores",
    "maximum_of_offers",
    "not_registered",
    "worker_set_aside",
    "not_on_queue",
    "channel_missing",
    "selector_failed",
    "already_offered",
    "declined",
    "capacity_full",
    "channel_maximum",
    "offer_limit",
    "outranked",
    "behind_jobs",
    "busy",
)
"""All codes of reasons; their details stand at ``Reason``, their sentences in ``api/sentences.py``."""


class OpenOffer(msgspec.Struct, frozen=True):
    """An open offer of the job that is explained; expires_at: epoch ms."""

    worker: str
    offer: str
    expires_at: int


class Holding(msgspec.Struct, frozen=True):
    """What uses a worker's room. kind: offer or assignment."""

    job: str
    kind: str
    cost: int


class Rank(msgspec.Struct, frozen=True):
    """Where a worker stands in the mode of a queue; available_at: epoch ms."""

    used: int | None = None
    capacity: int | None = None
    score: float | None = None
    available_at: int | None = None


class Reason(msgspec.Struct, kw_only=True):
    """One reason; about: job or worker. Lists hold the first few, times are epoch ms, labels JSON texts."""

    about: str
    code: str
    # of the job
    status: str = ""
    worker: str = ""
    at: int | None = None
    open: int | None = None
    maximum: int | None = None
    offers: list[OpenOffer] = []
    ahead: int | None = None
    jobs: list[str] = []
    # of the worker
    state: str = ""
    queue: str = ""
    channel: str = ""
    key: str = ""
    operator: str = ""
    value: str = ""
    has: str = ""
    expires_at: int | None = None
    offer: str = ""
    until: int | None = None
    needed: int | None = None
    free: int | None = None
    capacity: int | None = None
    limit: int | None = None
    held: list[Holding] = []
    holds: int | None = None
    # outranked; remote: others have scored
    rule: str = ""
    remote: bool = False
    came_about: str = ""
    """Of the first one asked, where it is known: freed (it took the first job there was), alone (nobody else
    could be asked), scored or unscored (others were asked to score it), ranked (by the queue itself) or
    otherwise (the queue ranked by another rule then)."""
    ranked: int | None = None
    """How many workers the ranking had that others gave."""
    asked: list[str] = []
    cursor: str = ""
    rank: Rank | None = None
    other: Rank | None = None
    # counted over the registered workers of the queue
    workers: int | None = None
    alone: int | None = None


class Sampled(msgspec.Struct):
    """One of some workers that are explained beside the counts."""

    worker: str
    state: str
    reasons: list[Reason] = []


class Change(msgspec.Struct, kw_only=True):
    """What changes by itself, at a time in epoch ms.

    kind: selectors (the next ones run out), exception (a rule fires), schedule, retry (a worker may be asked
    again) or offer (one ends). worker: whom it is about, or who is asked then.

    next: of an offer that ends, who is asked then: worker, nobody, scores (the best of those whom others then
    score; scored: how many those are, where they are counted), or empty where that is not worked out.

    workers: how many fit then that do not now; ready: how many of those have room.
    """

    kind: str
    at: int
    worker: str = ""
    rule: str = ""
    policy: str = ""
    workers: int | None = None
    ready: int | None = None
    next: str = ""
    scored: int | None = None


class Staff(msgspec.Struct, kw_only=True):
    """How many workers the router has, and its queue; how many of these are registered, fit, are ready."""

    workers: int = 0
    on_queue: int = 0
    registered: int = 0
    fitting: int = 0
    ready: int = 0


class JobExplanation(msgspec.Struct, kw_only=True):
    """Why a job is not offered: to anybody, and to one worker, or to those of its queue."""

    job: str
    status: str
    queue: str = ""
    channel: str = ""
    position: int | None = None
    length: int | None = None
    reasons: list[Reason] = []
    """Those of the job."""
    worker: str = ""
    state: str = ""
    obstacles: list[Reason] = []
    """Those of the worker."""
    staff: Staff | None = None
    counts: list[Reason] = []
    """Those of workers, counted; none for a job that is over, taken, or not classified yet."""
    sample: list[Sampled] = []
    changes: list[Change] = []


class Gathering:
    """Puts the slices of an explanation together; ``command`` asks for the next, None when all are there."""

    def __init__(self, first: JobExplain | JobPreview) -> None:
        self._first = first
        self.command: JobExplain | JobPreview | None = first
        self._found: JobExplanation | None = None
        self._counts: dict[tuple[str, ...], Reason] = {}
        self._sample: dict[str, Sampled] = {}
        self._next: dict[str, Any] = {}
        self._admits = [0, 0]
        self._later: int | None = None

    def add(self, reply: Mapping[str, Any]) -> None:
        """Adds the reply to the command."""
        assert self.command is not None
        rows = reply["rows"]
        if self._found is None:
            self._found = msgspec.convert(reply, JobExplanation, strict=False)
            self._found.reasons = [_reason(row) for row in rows if row["about"] == "job"]
            self._found.obstacles = [_reason(row) for row in rows if row["about"] == "worker"]
            self._next = {row["kind"]: row for row in rows if row["about"] == "change"}
        if "registered" in reply:
            self._count(reply)
        elif "later" in reply:
            self._later = int(reply["later"])
        for row in rows:
            if row["about"] == "sample":
                new = Sampled(row["of"], row["of_state"])
                self._sample.setdefault(new.worker, new).reasons.append(_reason(row))
        self.command = None
        if reply["next"]:
            self.command = msgspec.structs.replace(
                self._first, cursor=reply["next"], sampled=len(self._sample)
            )

    def _count(self, reply: Mapping[str, Any]) -> None:
        assert self._found is not None
        staff = self._found.staff = self._found.staff or Staff()
        staff.workers, staff.on_queue = int(reply["workers"]), int(reply["on_queue"])
        for name in ("registered", "fitting", "ready"):
            setattr(staff, name, getattr(staff, name) + int(reply[name]))
        for i, name in enumerate(("admits", "admits_ready")):
            self._admits[i] += int(reply[name])
        for row in reply["rows"]:
            if row["about"] == "queue":
                new = _reason(row)
                old = self._counts.setdefault((new.code, new.key, new.operator, new.value), new)
                if old is not new:
                    old.workers = (old.workers or 0) + (new.workers or 0)
                    if old.alone is not None or new.alone is not None:
                        old.alone = (old.alone or 0) + (new.alone or 0)

    def result(self) -> JobExplanation:
        """The whole explanation."""
        found = self._found
        assert found is not None
        if found.staff:
            found.counts = [*_absent(found), *self._counts.values()]
            found.sample = list(self._sample.values())[:MOST_SAMPLED]
        found.changes = sorted(self._changes(found), key=lambda change: change.at)
        return found

    def _changes(self, found: JobExplanation) -> Iterator[Change]:
        if row := self._next.get("selectors"):
            change = Change(kind="selectors", at=int(row["at"]))
            if found.staff:
                change.workers, change.ready = self._admits
            elif self._later is not None:
                change.workers, change.worker = self._later, found.worker
            yield change
        if row := self._next.get("exception"):
            yield Change(kind="exception", at=int(row["at"]), rule=row["rule"], policy=row["policy"])
        for reason in found.reasons:
            if reason.code == "scheduled" and reason.at:
                yield Change(kind="schedule", at=reason.at)
            ends = [offer.expires_at for offer in reason.offers if offer.expires_at]
            if ends:
                row = self._next.get("offer", {})
                change = Change(kind="offer", at=min(ends), worker=row.get("worker", ""))
                change.next = row.get("next", "")
                change.scored = int(row["scored"]) if "scored" in row else None
                yield change
        asked = [*found.sample, Sampled(found.worker, found.state, found.obstacles)]
        for one in asked:
            for reason in one.reasons:
                if reason.code == "declined" and reason.until:
                    yield Change(kind="retry", at=reason.until, worker=one.worker)


def _absent(found: JobExplanation) -> Iterator[Reason]:
    """The workers that are not on the queue, and those that are not registered, as reasons."""
    staff = found.staff or Staff()
    away = {
        "not_on_queue": staff.workers - staff.on_queue,
        "not_registered": staff.on_queue - staff.registered,
    }
    for code, count in away.items():
        if count > 0:
            yield Reason(about="queue", code=code, workers=count, queue=found.queue)


async def explain_job(
    run: Callable[[Command], Awaitable[Mapping[str, Any]]], job_id: str, worker_id: str = ""
) -> JobExplanation:
    """Why a job is not offered, slice by slice. Raises Refused when there is no such job or worker."""
    gathering = Gathering(JobExplain(job_id, worker_id))
    while gathering.command:
        gathering.add(await run(gathering.command))
    return gathering.result()


# ---- a worker ----------------------------------------------------------------------------------------------


class Waiting(msgspec.Struct):
    """A waiting job that the worker does not get: why nobody else does, and why this worker does not."""

    job: str
    reasons: list[Reason] = []
    obstacles: list[Reason] = []


class Queue(msgspec.Struct):
    """A queue of the worker, and the first jobs that wait in it."""

    id: str
    length: int
    jobs: list[Waiting] = []


class WorkerExplanation(msgspec.Struct, kw_only=True):
    """Why a worker gets no job. next_job: what it gets first when it holds nothing; next: more queues."""

    worker: str
    state: str
    capacity: int = 0
    used: int = 0
    open: int = 0
    limit: int = 0
    next_job: str = ""
    next_queue: str = ""
    reasons: list[Reason] = []
    queues: list[Queue] = []
    next: int = 0

    def add(self, reply: Mapping[str, Any]) -> None:
        """Adds the queues of one call."""
        self.next = int(reply["next"])
        waiting: dict[str, Waiting] = {}
        for row in reply["rows"]:
            if row["about"] == "worker":
                self.reasons.append(_reason(row))
            elif row["about"] == "queue":
                self.queues.append(Queue(row["queue"], int(row["length"])))
            elif row["about"] == "waiting":
                waiting[row["of"]] = Waiting(row["of"])
                self.queues[-1].jobs.append(waiting[row["of"]])
            else:
                one = waiting[row["of"]]
                (one.reasons if row["whose"] == "job" else one.obstacles).append(_reason(row))


async def explain_worker(
    run: Callable[[Command], Awaitable[Mapping[str, Any]]], worker_id: str, start: int = 0
) -> WorkerExplanation:
    """Why a worker gets no job, for at least MOST_QUEUES queues from a place on. Raises Refused."""
    found: WorkerExplanation | None = None
    while found is None or (found.next and len(found.queues) < MOST_QUEUES):
        reply = await run(WorkerExplain(worker_id, found.next if found else start))
        if found is None:
            found = msgspec.convert(reply, WorkerExplanation, strict=False)
        found.add(reply)
    return found


# ---- rows --------------------------------------------------------------------------------------------------


def _reason(row: Mapping[str, Any]) -> Reason:
    """A row as a reason: lists of parts and ranks are put together."""
    found = dict(row)
    if "offers" in row:
        found["offers"] = [
            dict(zip(OpenOffer.__struct_fields__, part, strict=True)) for part in _threes(row["offers"])
        ]
    if "held" in row:
        found["held"] = [
            dict(zip(Holding.__struct_fields__, part, strict=True)) for part in _threes(row["held"])
        ]
    if row["code"] == "outranked":
        names = Rank.__struct_fields__
        found["rank"] = {name: row[name] for name in names if name in row}
        found["other"] = {name: row[f"other_{name}"] for name in names if f"other_{name}" in row}
    return msgspec.convert(found, Reason, strict=False)


def _threes(flat: list[Any]) -> Iterator[tuple[Any, ...]]:
    return zip(flat[::3], flat[1::3], flat[2::3], strict=True)
