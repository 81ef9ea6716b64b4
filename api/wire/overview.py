"""Queues and workers as they stand, for people who watch: what the lists of entities do not tell."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from msgspec import UNSET, UnsetType

from api.wire.values import encode, number, optional, timestamp


class _Waiting(msgspec.Struct):
    priority: int
    jobs: int


class _Tested(msgspec.Struct, rename="camel"):
    jobs: int
    unmatchable: int


class _Queue(msgspec.Struct, rename="camel"):
    id: str
    name: str | UnsetType
    length: int
    waiting: list[_Waiting]
    longest_job_wait_time_minutes: float | UnsetType
    estimated_wait_time_minutes: float
    workers: int
    active_workers: int | UnsetType
    tested: _Tested


class _Offer(msgspec.Struct, rename="camel"):
    offer_id: str
    job_id: str
    queue_id: str
    channel_id: str
    offered_at: str
    expires_at: str


class _Assignment(msgspec.Struct, rename="camel"):
    assignment_id: str
    job_id: str
    channel_id: str
    assigned_at: str


class _Worker(msgspec.Struct, rename="camel"):
    id: str
    state: str
    used_capacity: int
    capacity: int
    load_ratio: float
    since: str | UnsetType
    offers: list[_Offer]
    assignments: list[_Assignment]


def queue(row: Mapping[str, Any]) -> bytes:
    """A queue as it stands."""
    longest_ms, counts = int(row["longest_ms"]), [int(n) for n in row["priorities"]]
    active = int(row["active"])
    return encode(
        _Queue(
            row["id"],
            optional(row["name"]),
            int(row["length"]),
            [_Waiting(*pair) for pair in zip(counts[::2], counts[1::2], strict=True)],
            UNSET if longest_ms < 0 else number(longest_ms / 60_000),
            number(float(row["wait_minutes"])),
            int(row["workers"]),
            UNSET if active < 0 else active,
            _Tested(int(row["looked"]), int(row["unmatchable"])),
        )
    )


def worker(row: Mapping[str, Any]) -> bytes:
    """A worker as it stands."""
    used, capacity, since = int(row["used"]), int(row["capacity"]), int(row["since_ms"])
    return encode(
        _Worker(
            row["id"],
            row["state"],
            used,
            capacity,
            number(used / capacity if capacity else 0),
            timestamp(since) if since else UNSET,
            [_offer(_named(one)) for one in row["offers"]],
            [_assignment(_named(one)) for one in row["assignments"]],
        )
    )


def _offer(row: Mapping[str, Any]) -> _Offer:
    times = timestamp(int(row["offered_at"])), timestamp(int(row["expires_at"]))
    return _Offer(row["id"], row["job"], row["queue"], row["channel"], *times)


def _assignment(row: Mapping[str, Any]) -> _Assignment:
    return _Assignment(row["id"], row["job"], row["channel"], timestamp(int(row["assigned_at"])))


def _named(flat: Sequence[Any]) -> dict[str, Any]:
    return dict(zip(flat[::2], flat[1::2], strict=True))
