"""What is asked of others for one tenant: takes tasks by a lease, asks, and brings the answers.

A worker that is killed leaves its tasks to their leases; then another takes them. Answers to outdated
questions do nothing in the store, so that two workers do no harm.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

from engine.commands import Command, JobCandidates, TaskAnswer, TaskLease
from engine.errors import Unavailable
from engine.outgoing.errors import EndpointBusy
from engine.rounds import Rounds, Words
from engine.store import Reply, Store, root_of
from engine.worker.questions import Questions
from engine.worker.rankings import Candidate, Rankings

log = logging.getLogger("jobrouter.worker")

SWEEP_SECONDS = 1.0
"""The longest pause between two looks at the tasks."""
LEASE_MARGIN_SECONDS = 5.0
"""A lease is so much longer than a task may take: for the way to the store and back."""
AT_ONCE = 4_096
"""Tasks at work: many more than may call or wait for one endpoint, so that a dead one holds no others up."""

ALIVE_SECONDS = 2.0
"""Tasks wait here for their turn at a busy endpoint when the same rules were answered so lately."""

_HANDSHAKE = "validate:"
_PORTION = 100
_TURN_SECONDS = 0.2
_MOST_KNOWN = 1_000
_WORDS = Words("cannot look for tasks", "tasks cannot be taken", "taking tasks again")


class RemoteRules:
    """Works on the tasks of one tenant until it is cancelled. ``looks`` counts its looks for them."""

    def __init__(self, store: Store, tenant: str, questions: Questions, rankings: Rankings) -> None:
        self.root = root_of(tenant)
        self.alarm = f"{self.root}:bell"
        self.looks = 0
        self._store = store
        self._tenant = tenant
        self._questions = questions
        self._rankings = rankings
        self._lease_ms = round(1000 * (questions.total_seconds + LEASE_MARGIN_SECONDS))
        self._rounds = Rounds(tenant, _WORDS)
        self._working: set[asyncio.Task[None]] = set()
        # pipelines, and when all their rules were last answered, or they were first seen
        self._alive: dict[str, float] = {}

    def alarm_set(self) -> None:
        """There is a new task."""
        self._rounds.wake()

    def alarm_expired(self) -> None:
        """Never: the bell stays."""

    async def run(self) -> None:
        """Works for ever."""
        try:
            await self._rounds.run(self._take_all, SWEEP_SECONDS)
        finally:
            for task in self._working:
                task.cancel()
            await asyncio.gather(*self._working, return_exceptions=True)

    async def _take_all(self) -> None:
        while (room := min(_PORTION, AT_ONCE - len(self._working))) > 0:
            reply = await self._store.run(self.root, TaskLease(room, self._lease_ms))
            self.looks += 1
            for row in reply["rows"]:
                task = asyncio.create_task(self._work(row))
                self._working.add(task)
                task.add_done_callback(self._worked)
            if len(reply["rows"]) < room:
                return

    def _worked(self, task: asyncio.Task[None]) -> None:
        if len(self._working) == AT_ONCE:
            self._rounds.wake()
        self._working.discard(task)

    async def _work(self, row: Mapping[str, Any]) -> None:
        try:
            async with asyncio.timeout(self._lease_ms / 1000):
                scores = row["task"].startswith("score:")
                answers = await (self._ranking(row) if scores else self._answers(row))
                await self._run(TaskAnswer(row["task"], int(row["asked"]), int(row["revision"]), answers))
        except (EndpointBusy, TimeoutError):
            pass  # left to the lease
        except Exception:
            log.exception("%s: %s: cannot be answered, trying again later", self._tenant, row["task"])

    async def _answers(self, row: Mapping[str, Any]) -> str:
        """Raises EndpointBusy when an endpoint is busy and does not seem to answer anybody."""
        if row["task"].startswith(_HANDSHAKE):
            return await self._questions.handshake(self._tenant, row)
        rules = row["pipeline"]
        while True:
            try:
                answers = await self._questions.answers(row)
            except EndpointBusy:
                if _now() - self._alive.setdefault(rules, _now()) > ALIVE_SECONDS:
                    raise
                await asyncio.sleep(_TURN_SECONDS)
                continue
            if answers.complete:
                if len(self._alive) >= _MOST_KNOWN:
                    self._alive.clear()
                self._alive[rules] = _now()
            return answers.text

    async def _ranking(self, row: Mapping[str, Any]) -> str:
        ranking = await self._rankings.ranking(row, self._candidates(row))
        if ranking.unscored:
            log.warning(
                "%s: %s: %d of %d workers have no score: %s",
                self._tenant,
                row["task"],
                ranking.unscored,
                ranking.workers,
                ranking.reason,
            )
        return ranking.text

    async def _candidates(self, row: Mapping[str, Any]) -> AsyncIterator[Sequence[Candidate]]:
        job, asked, after = row["task"].removeprefix("score:"), int(row["asked"]), ""
        while True:
            reply = await self._run(JobCandidates(job, asked, after))
            yield [Candidate(x["worker"], int(x["avail"]), x["labels"]) for x in reply["rows"]]
            after = reply["next"]
            if not after:
                return

    async def _run(self, command: Command) -> Reply:
        """An answer counts once, so it may be brought again when it is not known whether it has arrived."""
        while True:
            try:
                return await self._store.run(self.root, command)
            except Unavailable:
                await asyncio.sleep(SWEEP_SECONDS)


def _now() -> float:
    return asyncio.get_running_loop().time()
