"""Which of a job's workers are the best: others are asked to score them, one by one or several at a time."""

from __future__ import annotations

import asyncio
import heapq
import itertools
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import msgspec

from engine.outgoing.errors import EndpointBusy, RuleFailed
from engine.outgoing.payloads import batch_payload, labels_object, scoring_payload, selectors_array
from engine.outgoing.rules import Rule, RuleCaller
from engine.outgoing.scores import batch_scores, score
from engine.scoring import Function, remote_scoring_of_text
from engine.worker.called import called_rule, secrets_of_text

MOST_RANKED = 100
"""Workers that a ranking may name."""

_AT_ONCE = 8
"""Requests about one job at a time, so that others get their turn at an endpoint."""
_TURN_SECONDS = 0.2
_PLACE = "scoring"

_encode = msgspec.json.Encoder().encode


class Candidate(NamedTuple):
    """A worker that may be offered the job; ``available`` orders workers by how long they are available."""

    worker: str
    available: int
    labels: str


class Ranking(NamedTuple):
    """The best workers as the store takes them; of all how many have no score, and why the first has none."""

    text: str
    workers: int
    unscored: int
    reason: str


class _Scored(NamedTuple):
    """In the order of these, the best is the first: scores (signed) before none, then by availability."""

    has_none: bool
    signed: float
    available: int
    worker: str
    score: float | None


class Rankings:
    """Asks the scoring rules of jobs."""

    def __init__(self, caller: RuleCaller) -> None:
        self._caller = caller

    async def ranking(
        self, row: Mapping[str, Any], candidates: AsyncIterator[Sequence[Candidate]]
    ) -> Ranking:
        """The ranking that a leased question asks for.

        What is not scored within the time of a call has no score. Nobody is asked about a single worker.
        """
        sign = -1.0 if row["descending"] in ("1", 1) else 1.0
        asking = _Asking(self._caller, row)
        best: list[_Scored] = []
        waiting: list[Candidate] = []
        workers = unscored = 0
        async for portion in candidates:
            waiting += portion
            workers += len(portion)
            if workers < 2:
                continue
            found = await asking.scores(waiting)
            unscored += len(waiting) - len(found)
            best = _best(best, waiting, found, sign)
            waiting = []
        best = _best(best, waiting, {}, sign)
        text = _encode([(one.worker, one.score) for one in best]).decode()
        return Ranking(text, workers, unscored, asking.reason)


def _best(
    best: list[_Scored], candidates: Iterable[Candidate], found: Mapping[str, float], sign: float
) -> list[_Scored]:
    new = (
        _Scored(value is None, sign * (value or 0.0), one.available, one.worker, value)
        for one in candidates
        for value in (found.get(one.worker),)
    )
    return heapq.nsmallest(MOST_RANKED, itertools.chain(best, new))


class _Asking:
    """The requests about one job, as long as there is time."""

    def __init__(self, caller: RuleCaller, row: Mapping[str, Any]) -> None:
        self.reason = ""
        """Why a worker has no score."""
        self._caller = caller
        self._until = asyncio.get_running_loop().time() + caller.total_seconds
        scoring = remote_scoring_of_text(row["rules"])
        self._name = "function" if isinstance(scoring, Function) else "webhook"
        secrets = secrets_of_text(row["secret"]).get(_PLACE, {})
        self._rule: Rule = called_rule(self._name, scoring.text, secrets)
        self._batch = scoring.batch
        self._job = labels_object(row["labels"]) if scoring.job else None
        self._selectors = selectors_array(row["selectors"]) if scoring.selectors else None

    async def scores(self, candidates: Sequence[Candidate]) -> Mapping[str, float]:
        """The scores of those that have one."""
        found: dict[str, float] = {}
        ask: Callable[[Sequence[Candidate]], Awaitable[Mapping[str, float]]]
        ask = self._several if self._batch else self._one
        size = self._batch or 1
        requests = iter([candidates[at : at + size] for at in range(0, len(candidates), size)])

        async def work() -> None:
            for request in requests:
                found.update(await ask(request))

        try:
            async with asyncio.timeout_at(self._until), asyncio.TaskGroup() as group:
                for _ in range(_AT_ONCE):
                    group.create_task(work())
        except TimeoutError:
            self._note(f"the {self._name} has not scored all within {self._caller.total_seconds:g} s")
        return found

    async def _one(self, candidates: Sequence[Candidate]) -> Mapping[str, float]:
        (one,) = candidates
        worker = labels_object(one.labels, one.worker)
        value = score(await self._call(scoring_payload(worker, job=self._job, selectors=self._selectors)))
        if value is None:
            self._note(f"the {self._name} gives no number")
            return {}
        return {one.worker: value}

    async def _several(self, candidates: Sequence[Candidate]) -> Mapping[str, float]:
        workers = [labels_object(one.labels, one.worker) for one in candidates]
        answer = await self._call(batch_payload(workers, job=self._job, selectors=self._selectors))
        found = batch_scores(answer, [one.worker for one in candidates])
        if len(found) < len(candidates):
            self._note(f"the {self._name} gives no number for some workers")
        return found

    async def _call(self, payload: bytes) -> Any:
        """The answer, None when there is none."""
        while True:
            try:
                return await self._caller.call(self._rule, payload)
            except RuleFailed as failed:
                self._note(failed.reason)
                return None
            except EndpointBusy:
                await asyncio.sleep(_TURN_SECONDS)

    def _note(self, reason: str) -> None:
        self.reason = self.reason or reason
