"""Where the time of a request goes, stage by stage, in one process: see ``bench.interface.in_process``.

The functions of a stage are timed where they stand, without what they call of other stages. What is no
function of its own is measured alone: the server with an application that only answers, the call of the store
without a request around it. Of many runs the quickest tenth counts: others can only make it slower.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import statistics
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from typing import Any

import msgspec
import uvloop

import api.wire.jobs
import api.wire.options
import engine.store
from api.app import create_app
from api.auth import Authenticator
from api.dispatch import Dispatcher
from api.entities import Entity
from api.serving.observed import Observed
from api.serving.request_log import RequestLog
from bench.entities import QUEUE, policy, queue, region_and_skill, worker
from bench.http import KEY, packed
from bench.interface.in_process import AT_ONCE, Requests, Tape, TapedConnection
from bench.interface.servers import raw
from bench.load import calls
from bench.load.calls import Call
from bench.site import Site
from engine.commands import Command
from engine.measured import MeasuredStore
from engine.metrics import Metrics
from engine.servers import Servers
from engine.settings import Settings, Tenant

HOST = "localhost:8080"
BATCHES = 30

CALLS = 8
"""Calls of the store of each task: one alone would be measured with the making of the task."""

SERVER = "server and protocol"
WATCHING = "metrics, log and trace of the request"
CALL = "call of the store"
REST = "everything else"
WHOLE = "whole request"

TIMED: dict[str, tuple[tuple[Any, str], ...]] = {
    "HMAC": ((Authenticator, "tenant"), (Authenticator, "check")),
    "dispatch": ((Dispatcher, "find"),),
    "decode and check JSON": ((Entity, "patch_of"), (api.wire.options, "options"), (api.wire.jobs, "body")),
    "build the command": ((api.wire.jobs, "command"), (Command, "arguments")),
    "encode the answer": ((engine.store, "named"), (Entity, "answer"), (api.wire.options, "accepted")),
    "metrics of the call": ((Metrics, "call"),),
}

Table = dict[str, dict[str, float]]
"""Step of a life → stage → µs a request."""


class Clock:
    """Sums up the own time of the functions of each stage."""

    def __init__(self) -> None:
        self.ns: dict[str, int] = dict.fromkeys(TIMED, 0)
        self._inside = 0

    def timed(self, stage: str, function: Callable[..., Any]) -> Callable[..., Any]:
        """The function, with its time noted."""

        def call(*given: Any, **named: Any) -> Any:
            outside, self._inside = self._inside, 0
            started = time.perf_counter_ns()
            try:
                return function(*given, **named)
            finally:
                passed = time.perf_counter_ns() - started
                self.ns[stage] += passed - self._inside
                self._inside = outside + passed

        return call

    @contextlib.contextmanager
    def watching(self) -> Iterator[None]:
        """All functions of all stages are timed in the block."""
        kept = [(owner, name, getattr(owner, name)) for places in TIMED.values() for owner, name in places]
        for stage, places in TIMED.items():
            for owner, name in places:
                setattr(owner, name, self.timed(stage, getattr(owner, name)))
        try:
            yield
        finally:
            for owner, name, function in kept:
                setattr(owner, name, function)


class Kind(msgspec.Struct):
    """A request of a life, the call of the store that it makes, and the reply to that."""

    request: bytes
    call: Sequence[Any]
    reply: bytes


def measure(here: Site, rounds: int, batches: int = BATCHES) -> Table:
    """Measures in a fresh router; ``batches`` of requests of each kind in a round."""
    here.build([policy(), queue()])
    here.build(worker(number, region_and_skill(number)) for number in range(4))
    return uvloop.run(_measure(here, rounds, batches))


async def _measure(here: Site, rounds: int, batches: int) -> Table:
    tape = Tape(here.url)
    connection = TapedConnection(tape)
    servers = Servers.of(here.url)
    servers.known[here.root] = connection
    store = MeasuredStore(servers, Metrics())
    settings = Settings({"main": Tenant("main", (KEY,))})

    async def health() -> tuple[bool, dict[str, Any]]:
        return True, {}

    app = create_app(store, settings, health, None, metrics=Metrics())  # type: ignore[arg-type]
    whole, bare = Requests(app), Requests(raw(""))
    watched = Requests(Observed(raw(""), frozenset(), RequestLog(slow_ms=1000), Metrics()))
    found: dict[str, dict[str, list[float]]] = {}
    try:
        kinds = await _recorded(here, whole, connection)
        gc.collect()
        gc.freeze()
        for _ in range(rounds):
            for name, kind in kinds.items():
                tape.reply = kind.reply
                times = found.setdefault(name, {})
                for stage, requests in ((WHOLE, whole), (SERVER, bare), (WATCHING, watched)):
                    times.setdefault(stage, []).extend(await _times(requests.all_of(kind.request), batches))
                times.setdefault(CALL, []).extend(
                    await _times(_calls(connection, kind.call), batches, CALLS * AT_ONCE)
                )
                for stage, values in (await _own_times(whole, kind.request, batches)).items():
                    times.setdefault(stage, []).extend(values)
    finally:
        gc.unfreeze()
        tape.end()
        await connection.close()
        await store.close()
    return {
        name: _stages({stage: _quick(each) for stage, each in times.items()}) for name, times in found.items()
    }


def _stages(us: dict[str, float]) -> dict[str, float]:
    stages = {
        SERVER: us[SERVER],
        WATCHING: us[WATCHING] - us[SERVER],
        **{name: us[name] for name in TIMED},
        CALL: us[CALL],
    }
    return {**stages, REST: us[WHOLE] - sum(stages.values()), WHOLE: us[WHOLE]}


def _quick(values: Sequence[float]) -> float:
    return sorted(values)[len(values) // 10]


def _calls(connection: TapedConnection, words: Sequence[Any]) -> Callable[[], Awaitable[Any]]:
    """So many calls at once; what the tasks themselves cost is part of the server in a request."""

    async def several() -> None:
        for _ in range(CALLS):
            await connection.begin(*words)

    async def all_at_once() -> None:
        await asyncio.gather(*(several() for _ in range(AT_ONCE)))

    return all_at_once


async def _times(work: Callable[[], Awaitable[Any]], batches: int, per: int = AT_ONCE) -> list[float]:
    """µs of processor time a request, of each of many batches."""
    times = []
    for _ in range(batches):
        started = time.thread_time_ns()
        await work()
        times.append((time.thread_time_ns() - started) / 1000 / per)
    return times


async def _own_times(requests: Requests, request: bytes, batches: int) -> dict[str, list[float]]:
    rows: dict[str, list[float]] = {stage: [] for stage in TIMED}
    clock = Clock()
    with clock.watching():
        for _ in range(batches):
            before = dict(clock.ns)
            await requests.all_of(request)()
            for stage, ns in clock.ns.items():
                rows[stage].append((ns - before[stage]) / 1000 / AT_ONCE)
    return rows


async def _recorded(here: Site, requests: Requests, connection: TapedConnection) -> dict[str, Kind]:
    """A life of one job, done for once, with the replies of a real store."""
    kinds: dict[str, Kind] = {}

    async def do(call: Call) -> bytes:
        request = packed(call.method, call.target, HOST, call.body)
        answer = await requests.answer(request)
        if int(answer[9:12]) not in call.wanted:
            raise RuntimeError(f"not done: {answer[:500]!r}")
        kinds[call.name] = Kind(request, connection.words, connection.tape.last)
        return answer.partition(b"\r\n\r\n")[2]

    before = here.op()
    await do(calls.create("job-1", QUEUE, 1))
    (offer,) = here.offers_since(before)
    held = msgspec.json.decode(await do(calls.accept(offer.worker_id, offer.offer_id)))
    for make in (calls.complete, calls.close):
        await do(make(held["jobId"], held["assignmentId"]))
    return kinds


def table(found: Table) -> Iterator[str]:
    """One line a stage, and its share of the whole over all steps of a life."""
    steps = list(found)
    yield f"{'µs of processor time':36}" + "".join(f"{step:>10}" for step in (*steps, "mean", "share"))
    whole = statistics.fmean(found[step][WHOLE] for step in steps)
    for stage in found[steps[0]]:
        mean = statistics.fmean(found[step][stage] for step in steps)
        values = "".join(f"{found[step][stage]:10.1f}" for step in steps)
        yield f"{stage:36}{values}{mean:10.1f}{mean / whole:10.0%}"
