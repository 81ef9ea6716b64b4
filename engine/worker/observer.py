"""Measures a router as a whole: one worker at a time follows its outbox and looks at its queues.

The worker that has the lease (``jr_observer_lease``) counts each entry once. It commits its place before it
counts a portion, so that a worker which is killed, or loses its lease, leaves at most the portion it was just
counting uncounted, and nothing is counted twice. The next worker goes on from there; first it reads some of
the entries before, uncounted, to know what is under way.
"""

from __future__ import annotations

import asyncio
import enum
import logging
import secrets

from engine.commands import ObserverLease, QueueLoad, QueueStatistics, RouterStatus
from engine.errors import Refused, Unavailable
from engine.metrics import Metrics
from engine.outbox import Entry, of_texts
from engine.rounds import Rounds, Words
from engine.store import Store, root_of
from engine.worker.lives import Lives

log = logging.getLogger("jobrouter.worker")

LEASE_MS = 10_000
LOOK_SECONDS = 1.0
"""The pause between two looks at the outbox when there is nothing more to count."""
LOAD_SECONDS = 15.0
"""The pause between two looks at the queues."""
PORTION = 200
"""Entries in one read: a reply of some hundred kilobytes."""
WARM_UP = 20_000
"""Entries before its own that a new observer reads."""
QUEUES = 1_000
"""Queues that are looked at, the newest first."""
JOBS = 10_000
"""Waiting jobs of a queue that are counted by their channel; the others are shared out alike."""

_WORDS = Words("cannot measure", "measuring has failed", "measuring again")


class Tenure(enum.Enum):
    """How an observer stands with its lease: without it, new to it, or it has kept it."""

    NONE = 0
    NEW = 1
    KEPT = 2


class Observer:
    """Observes one tenant, while no other does, until it is cancelled."""

    def __init__(self, store: Store, tenant: str, metrics: Metrics) -> None:
        self.root = root_of(tenant)
        self._store = store
        self._tenant = tenant
        self._metrics = metrics
        self._holder = secrets.token_hex(8)
        self._seen = 0
        self._counting = False
        self._lives = self._new_lives()
        self._load_at = 0.0
        self._lease_by = 0.0
        self._rounds = Rounds(tenant, _WORDS)

    async def run(self) -> None:
        """Observes for ever; gives up the lease at its end."""
        try:
            # what measures must not stop what works
            await self._rounds.run(self._look, LOOK_SECONDS)
        finally:
            await self._give_up()

    async def _look(self) -> None:
        if await self._lease(self._seen) is Tenure.NONE:
            return
        while await self._count_portion():
            await self._look_at_queues()
        await self._look_at_queues()

    async def _lease(self, seen: int) -> Tenure:
        """Takes the lease or keeps it; ``seen`` is committed when it is kept."""
        reply = await self._store.run(self.root, ObserverLease(self._holder, LEASE_MS, seen))
        self._lease_by = _now() + LEASE_MS / 3_000
        self._metrics.observing(self._tenant, bool(reply["held"]))
        if not reply["held"]:
            return Tenure.NONE
        if not reply["fresh"]:
            return Tenure.KEPT
        self._seen = int(reply["seen"])
        self._load_at = 0.0
        await self._warm_up()
        return Tenure.NEW

    # ---- the outbox --------------------------------------------------------------------------------------

    async def _count_portion(self) -> bool:
        """Counts one portion; true when there may be another."""
        entries = await self._read(self._seen)
        if not entries:
            return False
        last = entries[-1].number
        if (tenure := await self._lease(last)) is not Tenure.KEPT:
            # another has had the lease meanwhile, and may have counted them
            return tenure is Tenure.NEW
        if entries[0].previous > self._seen:
            self._metrics.gap(self._tenant)
        self._seen = last
        self._counting = True
        self._tell(entries)
        return len(entries) == PORTION

    async def _warm_up(self) -> None:
        """Learns what is under way without counting it."""
        self._lives, self._counting = self._new_lives(), False
        after = max(0, self._seen - WARM_UP)
        while after < self._seen:
            entries = await self._read(after, self._seen)
            if not entries:
                break
            self._tell(entries)
            after = entries[-1].number

    async def _read(self, after: int, to: int | None = None) -> list[Entry]:
        end = "+" if to is None else f"{to}-0"
        key = f"{self.root}:events"
        count = str(PORTION)
        found = await self._store.ask(self.root, "XRANGE", key, f"({after}-0", end, "COUNT", count)
        return [of_texts(entry_id, fields) for entry_id, fields in found]

    def _tell(self, entries: list[Entry]) -> None:
        for entry in entries:
            at = int(entry.at)
            for event in entry.events:
                if self._counting:
                    self._metrics.event(self._tenant, event.kind)
                self._lives.tell(at, event.kind, event.payload)

    def _new_lives(self) -> Lives:
        return Lives(self._measured, self._unmeasured)

    def _measured(self, figure: str, queue: str, channel: str, seconds: float) -> None:
        if self._counting:
            self._metrics.span(figure, self._tenant, queue, channel, seconds)

    def _unmeasured(self, figure: str) -> None:
        if self._counting:
            self._metrics.unmeasured(figure, self._tenant)

    # ---- the queues --------------------------------------------------------------------------------------

    async def _look_at_queues(self) -> None:
        if _now() < self._load_at:
            return
        self._load_at = _now() + LOAD_SECONDS
        status = await self._store.run(self.root, RouterStatus())
        ids = await self._store.ask(self.root, "ZREVRANGE", f"{self.root}:queues", "0", str(QUEUES - 1))
        queues: dict[str, dict[str, list[int]]] = {}
        oldest: dict[str, float] = {}
        for queue in ids:
            try:
                queues[queue] = await self._load_of(queue)
                statistics = await self._store.run(self.root, QueueStatistics(queue))
                oldest[queue] = max(0, int(statistics["longest_ms"])) / 1000
            except Refused:
                # it was deleted meanwhile
                queues.pop(queue, None)
            if _now() >= self._lease_by and await self._lease(self._seen) is not Tenure.KEPT:
                return
        overdue = int(status["overdue_ms"]) / 1000
        self._metrics.load(self._tenant, queues, oldest, overdue, whole=len(ids) < QUEUES)

    async def _load_of(self, queue: str) -> dict[str, list[int]]:
        """By channel its waiting jobs and ready workers."""
        found: dict[str, list[int]] = {}
        jobs, classes, length, counted = 0, "0", 0, 0
        while jobs >= 0 or classes:
            reply = await self._store.run(self.root, QueueLoad(queue, jobs, classes))
            for row in reply["rows"]:
                counts = found.setdefault(row["channel"], [0, 0])
                counts[0] += int(row["jobs"])
                counts[1] += int(row["workers"])
                counted += int(row["jobs"])
            length, jobs, classes = int(reply["length"]), int(reply["next_jobs"]), reply["next_classes"]
            if jobs >= JOBS:
                jobs = -1
        if counted < length and counted >= JOBS:
            _share_out(found, counted, length)
        return found

    # ---- its end -----------------------------------------------------------------------------------------

    async def _give_up(self) -> None:
        self._metrics.observing(self._tenant, False)
        try:
            async with asyncio.timeout(1):
                await self._store.run(self.root, ObserverLease(self._holder, 0, self._seen))
        except (Unavailable, Refused, TimeoutError):
            log.debug("%s: the observer's lease was not given up", self._tenant)


def _share_out(found: dict[str, list[int]], counted: int, length: int) -> None:
    """Brings counts of the first jobs up to all of them."""
    left = length
    channels = sorted(found, key=lambda channel: found[channel][0])
    for channel in channels[:-1]:
        found[channel][0] = found[channel][0] * length // counted
        left -= found[channel][0]
    found[channels[-1]][0] = left


def _now() -> float:
    return asyncio.get_running_loop().time()
