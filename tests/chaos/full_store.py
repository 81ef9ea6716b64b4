"""A store whose memory is full: only what adds is refused, and the work drains.

Jobs are created until the store refuses; then its limit is lowered, so that it is full beyond doubt. Agents
do the whole work, a worker is signed on, its offer runs out, jobs are cancelled and deleted, while somebody
tries to create: in the end that is taken again.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import redis
import uvloop

from tests import support
from tests.chaos.figures import Figures
from tests.chaos.proofs import Options
from tests.chaos.site import KEY, site
from tests.chaos.soundness import unsound
from tests.chaos.wire import Answer, Wires
from tests.faults.traffic import VOICE
from tests.signed import Caller

ROOM_MB, QUICK_ROOM_MB = 64, 3
LEFT = 0.8
"""What the limit is lowered to, as a share of what has been filled."""

AGENTS = 8
FILLERS = 8
JOB = {"channelId": "voice", "queueId": "q", "tags": {f"tag{i}": "x" * 1000 for i in range(8)}}
KEPT_EVENTS = 10
TRY_SECONDS = 0.05
TRIMMED_SECONDS = 1.5
"""Within this time the worker trims."""

SOON_SECONDS = 15.0
PATIENCE_SECONDS = 300.0
QUEUE = {"distributionPolicyId": "p"}
POLICY = {"offerExpiresAfterSeconds": 3600, "mode": {"kind": "longestIdle"}}
SUBSCRIPTION = {"destination": {"endpointUrl": "https://events.example.com/"}}

ADDITIONS: dict[str, Any] = {
    "/routing/jobs/new": JOB,
    "/routing/workers/new": {"capacity": 1},
    "/routing/queues/new": QUEUE,
    "/routing/distributionPolicies/new": POLICY,
    "/routing/classificationPolicies/new": {"fallbackQueueId": "q"},
    "/routing/exceptionPolicies/new": {"exceptionRules": []},
    "/ext/v1/subscriptions/new": SUBSCRIPTION,
}
"""What adds an entity, one of each kind."""

CHANGES: dict[str, Any] = {
    "/routing/workers/w0": {"tags": {"a": 1}},
    "/routing/queues/q": {"labels": {"a": 1}},
    "/routing/distributionPolicies/p": {"name": "p"},
    "/routing/workers/lazy": {"availableForOffers": True},
}
"""What changes one; the last lets a worker have an offer that will run out."""


class Centre:
    """Who asks, and what was answered that should not have been."""

    def __init__(self, wires: Wires) -> None:
        self.jobs: list[str] = []
        self.wrong: list[str] = []
        self.counts: Counter[str] = Counter()
        """Requests that succeeded, by what they did."""
        self.refused = 0
        self._wires = wires
        self._numbers = itertools.count()

    async def ask(self, what: str, method: str, path: str, body: Any = None) -> Any:
        """The answer to what must succeed; None when it does not."""
        answer = await self._ask(method, path, body)
        if answer.status not in (200, 201, 204):
            self.wrong.append(f"{method} {path}: {answer}")
            return None
        self.counts[what] += 1
        return answer.json()

    async def add(self, path: str, body: Any) -> bool:
        """Tries to add something; whether it was taken. Refused in another way than for memory is wrong."""
        answer = await self._ask("PATCH", path, body)
        if answer.status == 201:
            return True
        full = answer.status == 503 and answer.json()["error"]["code"] == "OutOfMemory"
        if not (full and "retry-after" in answer.headers):
            self.wrong.append(f"PATCH {path}: {answer}")
        self.refused += 1
        return False

    async def fill(self) -> None:
        """Creates jobs until that is refused."""

        async def one() -> None:
            while True:
                job = f"j{next(self._numbers)}"
                if not await self.add(f"/routing/jobs/{job}", JOB):
                    return
                self.jobs.append(job)

        await asyncio.gather(*(one() for _ in range(FILLERS)))

    async def drain(self, jobs: set[str]) -> None:
        """Does all the work, by all agents at once; what was done is taken out of the jobs."""
        async with asyncio.TaskGroup() as group:
            for number in range(AGENTS):
                group.create_task(self._agent(f"w{number}", jobs))

    async def _agent(self, worker: str, jobs: set[str]) -> None:
        has_declined = False
        while jobs and not self.wrong:
            shown = await self.ask("read", "GET", f"/routing/workers/{worker}")
            if not shown or not shown["offers"]:
                await asyncio.sleep(TRY_SECONDS)
                continue
            offer = shown["offers"][0]
            path = f"/routing/workers/{worker}/offers/{offer['offerId']}"
            if not has_declined:
                has_declined = True
                await self.ask("decline", "POST", f"{path}:decline", {"retryOfferAt": "2020-01-01T00:00:00Z"})
                continue
            await self._work(path, offer["jobId"])
            jobs.discard(offer["jobId"])

    async def _work(self, offer: str, job: str) -> None:
        accepted = await self.ask("accept", "POST", f"{offer}:accept")
        if accepted is None:
            return
        assignment = f"/routing/jobs/{job}/assignments/{accepted['assignmentId']}"
        await self.ask("complete", "POST", f"{assignment}:complete", {"note": "done"})
        await self.ask("close", "POST", f"{assignment}:close")
        await self.ask("delete", "DELETE", f"/routing/jobs/{job}")

    async def _ask(self, method: str, path: str, body: Any) -> Answer:
        async with self._wires.one() as wire:
            return await wire.ask(method, path, body)


def prove(options: Options) -> Figures:
    """Runs it."""
    figures = Figures()
    with contextlib.ExitStack() as stack:
        server = stack.enter_context(support.server(options.program))
        kept = str(KEPT_EVENTS)
        here = stack.enter_context(site([server.url], [server.url], JOBROUTER_KEEP_EVENTS_COUNT=kept))
        call = stack.enter_context(contextlib.closing(Caller(f"http://127.0.0.1:{here.ports[0]}", KEY)))
        _make(call)
        uvloop.run(_play(figures, options, server, here.ports[0]))
        figures.none("parts that have ended", here.ended())
        figures.none("invariants violated", unsound(server.url, "main"))
    return figures


def _make(call: Caller) -> None:
    """Agents, and one who lets its offer run out."""
    made: dict[str, Any] = {
        "distributionPolicies/p": POLICY,
        "distributionPolicies/brief": {**POLICY, "offerExpiresAfterSeconds": 1},
        "queues/q": QUEUE,
        "queues/brief": {"distributionPolicyId": "brief"},
        "jobs/lazy": {**JOB, "queueId": "brief"},
    }
    worker = {"capacity": 1, "channels": VOICE, "availableForOffers": True}
    for number in range(AGENTS):
        made[f"workers/w{number}"] = {**worker, "queues": ["q"]}
    made["workers/lazy"] = {**worker, "queues": ["brief"], "availableForOffers": False}
    for path, body in made.items():
        status, answer = call("PATCH", f"/routing/{path}", body)
        if status != 201:
            raise RuntimeError(f"{path}: {status} {answer}")


async def _play(figures: Figures, options: Options, server: support.Server, port: int) -> None:
    async with Wires(port, support.KEY) as wires:
        centre = Centre(wires)
        with server.client() as store:
            await _fill_and_drain(figures, options, store, centre)


async def _fill_and_drain(figures: Figures, options: Options, store: redis.Redis, centre: Centre) -> None:
    before = _used(store)
    store.config_set("maxmemory", before + options.times(ROOM_MB, QUICK_ROOM_MB) * 1_000_000)
    await centre.fill()
    await asyncio.sleep(TRIMMED_SECONDS)
    most = before + int((_used(store) - before) * LEFT)
    store.config_set("maxmemory", most)
    figures.at_least("jobs created until the store was full", len(centre.jobs), 10)
    taken = [path for path, body in ADDITIONS.items() if await centre.add(path, body)]
    figures.none("additions taken by a full store", taken)
    for path, body in CHANGES.items():
        await centre.ask("update", "PATCH", path, body)

    async def signed_off() -> bool:
        shown = await centre.ask("read", "GET", "/routing/workers/lazy")
        return bool(shown) and shown["state"] == "inactive"

    figures.none("offers that did not run out", [] if await _in_time(signed_off) else ["of lazy"])
    cancelled = [centre.jobs.pop(), "lazy"]
    for job in cancelled:
        await centre.ask("cancel", "POST", f"/routing/jobs/{job}:cancel")
    jobs = set(centre.jobs)
    async with _trying(centre, jobs) as trying, asyncio.timeout(PATIENCE_SECONDS):
        await centre.drain(jobs)
        for job in cancelled:
            await centre.ask("delete", "DELETE", f"/routing/jobs/{job}")
        figures.at_least("jobs done when a creation was taken again", await trying, 1)
        await centre.drain(jobs)
    figures.none("jobs left undone", sorted(jobs))
    figures.tell("creations refused", centre.refused)
    for what, count in sorted(centre.counts.items()):
        figures.tell(f"{what}s that succeeded", count)
    figures.none("other refusals", centre.wrong)
    refused = [] if await _in_time(lambda: centre.add("/routing/jobs/last", JOB)) else ["jobs/last"]
    figures.none("creations refused when all is done", refused)


def _used(store: redis.Redis) -> int:
    """The memory that a store uses, in bytes."""
    found: Any = store.info("memory")
    return int(found["used_memory"])


async def _in_time(look: Callable[[], Awaitable[bool]]) -> bool:
    """Whether something becomes true within some seconds."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(SOON_SECONDS):
            while not await look():
                await asyncio.sleep(TRY_SECONDS)
            return True
    return False


@contextlib.asynccontextmanager
async def _trying(centre: Centre, jobs: set[str]) -> AsyncIterator[asyncio.Task[int]]:
    """Somebody who tries to create until that is taken; gives how many jobs were done by then."""
    whole = len(jobs)

    async def go_on() -> int:
        while not await centre.add("/routing/jobs/again", JOB):
            if centre.wrong:
                return 0
            await asyncio.sleep(TRY_SECONDS)
        done = whole - len(jobs)
        jobs.add("again")
        return done

    trying = asyncio.create_task(go_on())
    try:
        yield trying
    finally:
        trying.cancel()
