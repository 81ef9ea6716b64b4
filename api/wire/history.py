"""The life of a job or worker by its events: the state after each, how long it lasted, where the log is cut.

Events tell what happened, not the state that it led to. So the states are found by going through the events
from one on that says all by itself (an offer, for a worker; nearly every event, for a job).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from msgspec import UNSET, UnsetType

from api.wire.lists import entry_id
from api.wire.values import encode, timestamp

ISSUED = "RouterWorkerOfferIssued"
ACCEPTED = "RouterWorkerOfferAccepted"
ENDED = ("RouterWorkerOfferDeclined", "RouterWorkerOfferExpired", "RouterWorkerOfferRevoked")
RELEASED = ("RouterJobClosed", "RouterJobUnassigned", "RouterJobCancelled")
OVER = ("closed", "cancelled", "deleted")
"""States in which nothing more happens: how long they last means nothing."""


class Holding(msgspec.Struct, rename="camel"):
    """A worker as it was when an offer was made to it. ``available_since`` is an op number."""

    used: int
    capacity: int
    offers: int
    assignments: int
    available_since: int


class Decision(msgspec.Struct, rename="camel"):
    """How an offer came about; lua/README.md has what each number counts.

    ``way``: workers were searched for the job, or the freed worker looked for a job. ``offer``: which of the
    job's open ones it was, from 1. ``score``: of best worker; ``ranked``: how many workers the ranking
    had, where others score; ``after``: the worker that had the turn before.
    """

    mode: str
    way: str
    offer: int
    searched: int
    considered: int
    worker: Holding
    passed: dict[str, int] | UnsetType = UNSET
    score: float | UnsetType = UNSET
    ranked: int | UnsetType = UNSET
    after: str | UnsetType = UNSET


class _Data(msgspec.Struct, rename="camel"):
    job_status: str = ""
    offer_id: str = ""
    decision: Decision | None = None


class _Payload(msgspec.Struct):
    data: _Data


_data = msgspec.json.Decoder(_Payload).decode


class Happened(msgspec.Struct):
    """One event as a history command replies it. ``at`` is epoch ms, ``event`` the payload."""

    place: str
    op: int
    at: int
    call: str
    request: str
    kind: str
    event: str


def happened(rows: Sequence[Mapping[str, Any]]) -> list[Happened]:
    """Rows of a reply, newest first."""
    return msgspec.convert(rows, list[Happened], strict=False)


# ---- states ------------------------------------------------------------------------------------------------

_RECEIVED = {
    "Queued": "created",
    "PendingClassification": "pendingClassification",
    "PendingSchedule": "scheduled",
    "WaitingForActivation": "waitingForActivation",
}
_PHASES = {
    "RouterJobClassified": "pendingClassification",
    "RouterJobClassificationFailed": "classificationFailed",
    "RouterJobQueued": "queued",
    "RouterJobWaitingForActivation": "waitingForActivation",
    ISSUED: "queued",
    ACCEPTED: "assigned",
    "RouterJobCompleted": "completed",
    "RouterJobClosed": "closed",
    # back to its queue, if its next event says so
    "RouterJobUnassigned": "waitingForActivation",
    "RouterJobCancelled": "cancelled",
    "RouterJobDeleted": "deleted",
}


def _job_state(phase: str, offers: int) -> str:
    """The state of a job by its status."""
    if phase == "queued":
        return "offered" if offers else "waiting"
    return {"completed": "wrapUp", "pendingSchedule": "scheduled"}.get(phase, phase)


class JobLife:
    """A job as its events are gone through."""

    def __init__(self, *, begins: bool) -> None:
        self._phase = ""
        self._open: set[str] = set()
        self._others = 0
        """Open offers that were made before the first event."""

    @staticmethod
    def is_settled(event: Happened) -> bool:
        """Whether its state is known after this event, whatever was before."""
        return event.kind == "RouterJobReceived" or event.kind in _PHASES

    @staticmethod
    def present(reply: Mapping[str, Any]) -> str:
        """Its state now; empty when it is gone."""
        return _job_state(str(reply.get("status", "")), int(reply.get("offers", 0)))

    def see(self, event: Happened) -> str:
        """The state after an event."""
        data = _data(event.event).data
        if event.kind == "RouterJobReceived":
            self._phase = _RECEIVED.get(data.job_status, "created")
        if event.kind in _PHASES:
            self._phase = _PHASES[event.kind]
        if event.kind == ISSUED:
            self._open.add(data.offer_id)
            if data.decision:
                self._others = max(0, data.decision.offer - len(self._open))
        elif event.kind in ENDED and data.offer_id in self._open:
            self._open.remove(data.offer_id)
        elif event.kind in ENDED and self._others:
            self._others -= 1
        elif event.kind in _PHASES:
            self._open.clear()
            self._others = 0
        return _job_state(self._phase, len(self._open) + self._others)


def _worker_state(active: bool | None, offers: int | None, assignments: int | None) -> str:
    """The state of a worker; empty where it is not known."""
    if active is None or offers is None or assignments is None:
        return ""
    if not active:
        return "draining" if assignments else "inactive"
    return "busy" if assignments else "offered" if offers else "idle"


class WorkerLife:
    """A worker as its events are gone through; what is not known yet is None."""

    def __init__(self, *, begins: bool) -> None:
        self._active = False if begins else None
        self._offers = 0 if begins else None
        self._assignments = 0 if begins else None

    @staticmethod
    def is_settled(event: Happened) -> bool:
        """Whether its state is known after this event, whatever was before."""
        return event.kind == ISSUED and _data(event.event).data.decision is not None

    @staticmethod
    def present(reply: Mapping[str, Any]) -> str:
        """Its state now; empty when it is gone."""
        if "state" not in reply:
            return ""
        return _worker_state(reply["state"] == "active", int(reply["offers"]), int(reply["assignments"]))

    def see(self, event: Happened) -> str:
        """The state after an event."""
        if event.kind == "RouterWorkerDeleted":
            return "deleted"
        if event.kind in ("RouterWorkerRegistered", "RouterWorkerDeregistered"):
            self._active = event.kind == "RouterWorkerRegistered"
        elif event.kind == ISSUED:
            decision = _data(event.event).data.decision
            if decision:
                self._active, self._offers = True, decision.worker.offers
                self._assignments = decision.worker.assignments
            self._count(1, 0)
        elif event.kind in ENDED:
            self._count(-1, 0)
        elif event.kind == ACCEPTED:
            self._count(-1, 1)
        elif event.kind in RELEASED:
            self._count(0, -1)
        return _worker_state(self._active, self._offers, self._assignments)

    def _count(self, offers: int, assignments: int) -> None:
        if self._offers is not None and self._assignments is not None:
            self._offers += offers
            self._assignments += assignments


# ---- a page ------------------------------------------------------------------------------------------------


class Row(msgspec.Struct, rename="camel"):
    """One event, the state that it led to, and for how long."""

    id: str
    time: str
    type: str
    op: int
    call: str
    request_id: str | UnsetType
    state: str | UnsetType
    seconds: float | UnsetType
    event: msgspec.Raw


class Cut(msgspec.Struct, rename="camel"):
    """The newest event that is not kept any more, and the oldest entry that is."""

    id: str
    oldest: str | UnsetType


class Page(msgspec.Struct, rename="camel"):
    """A part of a life, newest event first."""

    id: str
    state: str | UnsetType
    value: list[Row]
    durations: dict[str, float]
    next: str | UnsetType
    cut: Cut | UnsetType


class Read(msgspec.Struct):
    """The events shown and, to know the state at their beginning, some before; newest first."""

    id: str
    shown: list[Happened]
    before: list[Happened]
    begins: bool
    """Whether the oldest event that was read is the first of all."""
    present: str
    """The state now; empty when it is gone."""
    ends_at: int
    """When the oldest event came that is newer than those shown (epoch ms)."""
    is_newest: bool
    next: str
    cut: str
    oldest: int


def page(read: Read, life: type[JobLife | WorkerLife]) -> Page:
    """The states and times of what was read."""
    states: list[str] = []
    goes_on = life(begins=read.begins)
    known = read.begins
    for event in reversed([*read.shown, *read.before]):
        known = known or life.is_settled(event)
        states.insert(0, goes_on.see(event) if known else "")
    if read.is_newest and read.shown and read.present:
        # some changes have no event of their own: a job is suspended for later, or classified anew by others
        states[0] = read.present
    rows: list[Row] = []
    durations: dict[str, int] = {}
    until = read.ends_at
    for event, state in zip(read.shown, states, strict=False):
        over = state in OVER and read.is_newest and not rows
        lasted = max(0, until - event.at)
        if state and not over:
            durations[state] = durations.get(state, 0) + lasted
        rows.append(_row(event, state, UNSET if over else lasted / 1000))
        until = event.at
    return Page(
        read.id,
        read.present or UNSET,
        rows,
        {state: ms / 1000 for state, ms in sorted(durations.items())},
        read.next or UNSET,
        Cut(read.cut, entry_id(read.oldest) if read.oldest else UNSET) if read.cut else UNSET,
    )


def _row(event: Happened, state: str, seconds: float | UnsetType) -> Row:
    return Row(
        event.place,
        timestamp(event.at),
        event.kind,
        event.op,
        event.call,
        event.request or UNSET,
        state or UNSET,
        seconds,
        msgspec.Raw(event.event.encode()),
    )


def decisions(rows: Sequence[Mapping[str, Any]]) -> dict[str, Decision]:
    """How offers came about, by their ids, as far as these rows of a reply tell of them."""
    issued = (_data(row["event"]).data for row in rows if row["kind"] == ISSUED)
    return {data.offer_id: data.decision for data in issued if data.decision}


def view(shown: Page) -> bytes:
    """A page as clients see it."""
    return encode(shown)


# ---- as words ----------------------------------------------------------------------------------------------


class _Words(msgspec.Struct, rename="camel"):
    """The members of an event that a reader wants first."""

    job_id: str = ""
    worker_id: str = ""
    queue_id: str = ""
    priority: int | None = None
    disposition_code: str = ""
    errors: list[dict[str, str]] = []
    decision: Decision | None = None


class _Worded(msgspec.Struct):
    data: _Words


def words(event: msgspec.Raw, kind: str) -> list[tuple[str, str]]:
    """What an event of a job or worker says, as names and values, without the job or worker itself."""
    data = msgspec.json.decode(event, type=_Worded).data
    said = [
        ("job", "" if kind == "job" else data.job_id),
        ("worker", "" if kind == "worker" else data.worker_id),
        ("queue", data.queue_id),
        ("priority", "" if data.priority is None else str(data.priority)),
        ("disposition", data.disposition_code),
        ("error", "; ".join(error.get("message", "") for error in data.errors)),
        *_decision(data.decision),
    ]
    return [(name, value) for name, value in said if value]


def _decision(made: Decision | None) -> list[tuple[str, str]]:
    """How an offer came about, in short."""
    if made is None:
        return []
    if made.way == "worker":
        how = [("as", "the first job for the freed worker")]
    else:
        how = [
            ("by", made.mode),
            ("score", "" if made.score is UNSET else f"{made.score:.6g}"),
            ("among", "" if made.ranked is UNSET else f"{made.ranked} ranked"),
        ]
    return [
        *how,
        *((reason, str(count)) for reason, count in (made.passed or {}).items()),
    ]
