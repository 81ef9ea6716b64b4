"""Explanations as clients see them."""

from __future__ import annotations

import msgspec
from msgspec import UNSET, UnsetType

from api.sentences import change, counted, sentence, staff
from api.wire.history import Decision
from api.wire.values import encode, operator_word, optional, timestamp, timestamp_or_none
from engine.explanations import (
    Change,
    JobExplanation,
    Rank,
    Reason,
    Sampled,
    Staff,
    Waiting,
    WorkerExplanation,
)

CODES = {
    "not_queued": "notQueued",
    "being_classified": "beingClassified",
    "scheduled": "scheduled",
    "suspended": "suspended",
    "job_set_aside": "jobSetAside",
    "being_scored": "beingScored",
    "waits_for_scores": "waitsForScores",
    "maximum_of_offers": "maximumOfOffers",
    "not_registered": "notRegistered",
    "worker_set_aside": "workerSetAside",
    "not_on_queue": "notOnQueue",
    "channel_missing": "channelMissing",
    "selector_failed": "selectorFailed",
    "already_offered": "alreadyOffered",
    "declined": "declined",
    "capacity_full": "capacityFull",
    "channel_maximum": "channelMaximum",
    "offer_limit": "offerLimit",
    "outranked": "outranked",
    "behind_jobs": "behindJobs",
    "busy": "busy",
}
"""The codes as they are written on the wire."""

KINDS = {
    "selectors": "selectorExpiry",
    "exception": "exceptionRule",
    "schedule": "schedule",
    "retry": "retry",
    "offer": "offerExpiry",
}
"""What changes by itself."""


class _Offer(msgspec.Struct, rename="camel"):
    worker_id: str
    offer_id: str
    expires_at: str | UnsetType


class _Holding(msgspec.Struct, rename="camel"):
    job_id: str
    kind: str
    capacity_cost: int


class _Rank(msgspec.Struct, rename="camel"):
    used: int | UnsetType
    capacity: int | UnsetType
    score: float | UnsetType
    available_at: str | UnsetType


class _Reason(msgspec.Struct, rename="camel"):
    code: str
    message: str
    status: str | UnsetType
    worker_id: str | UnsetType
    state: str | UnsetType
    queue_id: str | UnsetType
    channel_id: str | UnsetType
    at: str | UnsetType
    retry_at: str | UnsetType
    expires_at: str | UnsetType
    offer_id: str | UnsetType
    open_offers: int | UnsetType
    maximum: int | UnsetType
    limit: int | UnsetType
    offers: list[_Offer] | UnsetType
    ahead: int | UnsetType
    job_ids: list[str] | UnsetType
    key: str | UnsetType
    label_operator: str | UnsetType
    value: msgspec.Raw | UnsetType
    has: msgspec.Raw | UnsetType
    needed: int | UnsetType
    free: int | UnsetType
    capacity: int | UnsetType
    held: list[_Holding] | UnsetType
    held_count: int | UnsetType
    rule: str | UnsetType
    asked_worker_ids: list[str] | UnsetType
    last_worker_id: str | UnsetType
    rank: _Rank | UnsetType
    asked_rank: _Rank | UnsetType
    workers: int | UnsetType
    alone: int | UnsetType


class Job(msgspec.Struct, rename="camel"):
    """Why a job is not offered; of one worker, or counted over all of its queue, with some of them."""

    job_id: str
    status: str
    queue_id: str | UnsetType
    channel_id: str | UnsetType
    position: int | UnsetType
    queue_length: int | UnsetType
    reasons: list[_Reason]
    worker: _Worker | UnsetType
    workers: _Staff | UnsetType
    counts: list[_Reason] | UnsetType
    sample: list[_Worker] | UnsetType
    changes: list[_Change]
    decisions: dict[str, Decision] | UnsetType
    """How the open offers came about, by their ids, as far as the log is kept."""


class _Worker(msgspec.Struct, rename="camel"):
    worker_id: str
    state: str
    reasons: list[_Reason]


class _Staff(msgspec.Struct, rename="camel"):
    message: str
    total: int
    on_queue: int
    registered: int
    fitting: int
    ready: int


class _Change(msgspec.Struct, rename="camel"):
    kind: str
    at: str
    message: str
    worker_id: str | UnsetType
    rule_id: str | UnsetType
    exception_policy_id: str | UnsetType
    admits: int | UnsetType
    admits_ready: int | UnsetType
    next: str | UnsetType
    scored: int | UnsetType


class _Next(msgspec.Struct, rename="camel"):
    job_id: str
    queue_id: str


class _Waiting(msgspec.Struct, rename="camel"):
    job_id: str
    reasons: list[_Reason]


class _Queue(msgspec.Struct, rename="camel"):
    queue_id: str
    length: int
    jobs: list[_Waiting]


class WorkerView(msgspec.Struct, rename="camel"):
    """Why a worker gets no job: its own reasons, and those of the first waiting jobs of its queues."""

    worker_id: str
    state: str
    capacity: int
    used: int
    open_offers: int
    offer_limit: int
    reasons: list[_Reason]
    next_job: _Next | UnsetType
    queues: list[_Queue]
    next: str | UnsetType


def job(found: JobExplanation, decisions: dict[str, Decision]) -> bytes:
    """Why a job is not offered, and how its open offers came about."""
    return encode(job_view(found, decisions))


def open_offers(found: JobExplanation) -> set[str]:
    """The ids of the open offers that an explanation speaks of."""
    reasons = [*found.reasons, *found.obstacles]
    named = {reason.offer for reason in reasons if reason.offer}
    return named | {offer.offer for reason in reasons for offer in reason.offers}


def tell_how(found: JobExplanation, decisions: dict[str, Decision]) -> None:
    """Notes with those who were outranked how the first one that was asked came to be; by ids of offers."""
    offers = {offer.worker: offer.offer for reason in found.reasons for offer in reason.offers}
    for reason in [*found.obstacles, *(reason for one in found.sample for reason in one.reasons)]:
        made = decisions.get(offers.get("".join(reason.asked[:1]), ""))
        if reason.code == "outranked" and made:
            _note(reason, made)


def _is_of_another_rule(reason: Reason, made: Decision) -> bool:
    """Did the queue rank in another way when the offer was made?"""
    by_itself = made.score is not UNSET and made.ranked is UNSET
    return made.mode != reason.rule or (by_itself if reason.remote else made.ranked is not UNSET)


def _note(reason: Reason, made: Decision) -> None:
    if made.way == "worker":
        reason.came_about = "freed"
    elif _is_of_another_rule(reason, made):
        reason.came_about = "otherwise"
    elif not reason.remote:
        reason.came_about = "ranked"
    elif made.ranked is UNSET:
        reason.came_about = "alone"
    elif made.score is UNSET:
        reason.came_about, reason.ranked = "unscored", made.ranked
    else:
        reason.came_about, reason.ranked = "scored", made.ranked
        reason.other = msgspec.structs.replace(reason.other or Rank(), score=made.score)


def job_view(found: JobExplanation, decisions: dict[str, Decision] | None = None) -> Job:
    """An explanation of a job as clients see it; ``decisions`` by the ids of offers."""
    worker = Sampled(found.worker, found.state, found.obstacles)
    return Job(
        found.job,
        found.status,
        optional(found.queue),
        optional(found.channel),
        _known(found.position),
        _known(found.length),
        [_reason(reason, sentence(reason)) for reason in found.reasons],
        _sampled(worker) if found.worker else UNSET,
        _staff(found.staff, found) if found.staff else UNSET,
        [_reason(reason, counted(reason, found)) for reason in found.counts] if found.staff else UNSET,
        [_sampled(one) for one in found.sample] if found.staff else UNSET,
        [_change(one) for one in found.changes],
        decisions or UNSET,
    )


def worker(found: WorkerExplanation) -> bytes:
    """Why a worker gets no job."""
    return encode(
        WorkerView(
            found.worker,
            found.state,
            found.capacity,
            found.used,
            found.open,
            found.limit,
            _worker_reasons(found.reasons, found),
            _Next(found.next_job, found.next_queue) if found.next_job else UNSET,
            [
                _Queue(queue.id, queue.length, [_waiting(one, found) for one in queue.jobs])
                for queue in found.queues
            ],
            str(found.next) if found.next else UNSET,
        )
    )


def _waiting(one: Waiting, found: WorkerExplanation) -> _Waiting:
    reasons = [_reason(reason, sentence(reason)) for reason in one.reasons]
    return _Waiting(one.job, [*reasons, *_worker_reasons(one.obstacles, found)])


def _worker_reasons(reasons: list[Reason], found: WorkerExplanation) -> list[_Reason]:
    return [_reason(reason, sentence(reason, found.worker)) for reason in reasons]


def _sampled(one: Sampled) -> _Worker:
    reasons = [_reason(reason, sentence(reason, one.worker)) for reason in one.reasons]
    return _Worker(one.worker, one.state, reasons)


def _staff(it: Staff, found: JobExplanation) -> _Staff:
    return _Staff(staff(found), it.workers, it.on_queue, it.registered, it.fitting, it.ready)


def _change(one: Change) -> _Change:
    return _Change(
        KINDS.get(one.kind, one.kind),
        timestamp(one.at),
        change(one),
        optional(one.worker),
        optional(one.rule),
        optional(one.policy),
        _known(one.workers),
        _known(one.ready),
        optional(one.next),
        _known(one.scored),
    )


def _reason(reason: Reason, message: str) -> _Reason:
    return _Reason(
        code=CODES[reason.code],
        message=message,
        status=optional(reason.status),
        worker_id=optional(reason.worker),
        state=optional(reason.state),
        queue_id=optional(reason.queue),
        channel_id=optional(reason.channel),
        at=timestamp_or_none(reason.at),
        retry_at=timestamp_or_none(reason.until),
        expires_at=timestamp_or_none(reason.expires_at),
        offer_id=optional(reason.offer),
        open_offers=_known(reason.open),
        maximum=_known(reason.maximum),
        limit=_known(reason.limit),
        offers=[_Offer(one.worker, one.offer, timestamp_or_none(one.expires_at)) for one in reason.offers]
        or UNSET,
        ahead=_known(reason.ahead),
        job_ids=reason.jobs or UNSET,
        key=msgspec.json.decode(reason.key, type=str) if reason.key else UNSET,
        label_operator=operator_word(reason.operator) if reason.operator else UNSET,
        value=_raw(reason.value),
        has=_raw(reason.has),
        needed=_known(reason.needed),
        free=_known(reason.free),
        capacity=_known(reason.capacity),
        held=[_Holding(one.job, one.kind, one.cost) for one in reason.held] or UNSET,
        held_count=_known(reason.holds),
        rule=optional(reason.rule),
        asked_worker_ids=reason.asked or UNSET,
        last_worker_id=optional(reason.cursor),
        rank=_rank(reason.rank),
        asked_rank=_rank(reason.other),
        workers=_known(reason.workers),
        alone=_known(reason.alone),
    )


def _rank(rank: Rank | None) -> _Rank | UnsetType:
    if rank is None or rank == Rank():
        return UNSET
    return _Rank(
        _known(rank.used),
        _known(rank.capacity),
        UNSET if rank.score is None else rank.score,
        timestamp_or_none(rank.available_at),
    )


def _known(number: int | None) -> int | UnsetType:
    return UNSET if number is None else number


def _raw(text: str) -> msgspec.Raw | UnsetType:
    return msgspec.Raw(text.encode()) if text else UNSET
