"""A router at one moment, for a person who looks: queues, workers, offers and how much happens."""

from __future__ import annotations

from collections import Counter
from typing import Any

import msgspec

from engine.commands import Command, EventList, QueueOverview, RouterStatus, WorkerOverview
from engine.store import Store, named

PAGE = 100
QUEUE_PAGES = 5
WORKER_PAGES = 3
"""Pages that one look reads at most: what is older is not shown."""
ENTRIES = 200
WINDOW_MS = 10_000
"""Events of so many entries, or of so long, tell how much happens."""


class Queue(msgspec.Struct):
    """A queue. Times in ms; ``priorities``: waiting jobs by priority, highest first.

    active: those of its workers that are, -1 where they are in too many classes to be counted.
    """

    id: str
    length: int
    longest_ms: int
    wait_minutes: float
    workers: int
    active: int
    looked: int
    unmatchable: int
    priorities: list[tuple[int, int]]


class Offer(msgspec.Struct):
    """An open offer. Times in epoch ms."""

    job: str
    worker: str
    queue: str
    channel: str
    offered_at: int
    expires_at: int


class Worker(msgspec.Struct):
    """A worker. ``since_ms``: the time of its last event, 0 when that is not kept any more."""

    id: str
    state: str
    used: int
    capacity: int
    since_ms: int
    offers: int
    assignments: int


class Glance(msgspec.Struct):
    """A router at ``now_ms``. ``rates``: events a second by type. ``more_…``: others were not read."""

    now_ms: int
    overdue_ms: int
    queues: list[Queue]
    workers: list[Worker]
    offers: list[Offer]
    rates: dict[str, float]
    more_queues: bool = False
    more_workers: bool = False


async def glance(store: Store, root: str) -> Glance:
    """Looks at a router, with a bounded number of short calls. Raises Unavailable, Refused and Failed."""
    seconds, micros = await store.ask(root, "TIME")
    now_ms = int(seconds) * 1000 + int(micros) // 1000
    status = await store.run(root, RouterStatus())
    queues, more_queues = await _pages(store, root, QueueOverview, QUEUE_PAGES)
    workers, more_workers = await _pages(store, root, WorkerOverview, WORKER_PAGES)
    offers = [_offer(row["id"], named(one)) for row in workers for one in row["offers"]]
    return Glance(
        now_ms,
        int(status["overdue_ms"]),
        sorted(map(_queue, queues), key=lambda queue: (-queue.length, queue.id)),
        sorted(map(_worker, workers), key=lambda worker: (-worker.used, worker.state, worker.id)),
        sorted(offers, key=lambda offer: offer.expires_at),
        await _rates(store, root, int(status["op"]), now_ms),
        more_queues,
        more_workers,
    )


async def _pages(
    store: Store, root: str, kind: type[QueueOverview | WorkerOverview], most: int
) -> tuple[list[dict[str, Any]], bool]:
    rows: list[dict[str, Any]] = []
    cursor = 0
    for _ in range(most):
        command: Command = kind(limit=PAGE, cursor=cursor)
        reply = await store.run(root, command)
        rows += reply["rows"]
        cursor = int(reply["next"])
        if not cursor:
            return rows, False
    return rows, True


async def _rates(store: Store, root: str, last: int, now_ms: int) -> dict[str, float]:
    # numbers of calls without events are passed over, so these are at most as many entries
    reply = await store.run(root, EventList(max(0, last - ENTRIES), ENTRIES))
    recent = [row for row in reply["rows"] if int(row["at"]) > now_ms - WINDOW_MS]
    counts = Counter(kind for row in recent for kind in row["events"][::2])
    whole = len(recent) < len(reply["rows"]) or last <= ENTRIES
    span = WINDOW_MS if whole or not recent else max(1_000, now_ms - int(recent[0]["at"]))
    return {kind: count * 1000 / span for kind, count in counts.most_common()}


def _queue(row: dict[str, Any]) -> Queue:
    counts = [int(number) for number in row["priorities"]]
    return Queue(
        row["id"],
        int(row["length"]),
        int(row["longest_ms"]),
        float(row["wait_minutes"]),
        int(row["workers"]),
        int(row["active"]),
        int(row["looked"]),
        int(row["unmatchable"]),
        list(zip(counts[::2], counts[1::2], strict=True)),
    )


def _worker(row: dict[str, Any]) -> Worker:
    return Worker(
        row["id"],
        row["state"],
        int(row["used"]),
        int(row["capacity"]),
        int(row["since_ms"]),
        len(row["offers"]),
        len(row["assignments"]),
    )


def _offer(worker: str, row: dict[str, Any]) -> Offer:
    times = int(row["offered_at"]), int(row["expires_at"])
    return Offer(row["job"], worker, row["queue"], row["channel"], *times)
