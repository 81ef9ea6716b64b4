"""A store that is slow, stalls or stands still: what waits is bounded, and it recovers.

Requests come at a fixed rate, whatever is answered, each on a connection of its own: an open loop. All parts
reach the store through one link that delays its replies or holds everything; at the end the server itself is
stopped by SIGSTOP, and goes on.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import signal
import tempfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import uvloop

from tests import support
from tests.chaos.figures import Figures
from tests.chaos.network import network
from tests.chaos.proofs import Options
from tests.chaos.site import KEY, site
from tests.chaos.sleeper import Sleeper
from tests.chaos.soundness import unsound
from tests.chaos.times import Times
from tests.chaos.wire import LOST, Wires
from tests.faults.traffic import make_queue, make_worker
from tests.signed import Caller

RATE, QUICK_RATE = 200, 30
"""Requests a second."""

REST_SECONDS = 4.0
"""How long requests go on after a fault."""

RECOVERED_SECONDS = 2.0
QUICK_ANSWER_SECONDS = 1.0
LIMIT_SECONDS = 8.5
"""A call of the store is given up after 7.5 s at most; the rest is for a busy machine."""

GROWTH_MB = 64
LOOK_SECONDS = 0.05
GIVEN_UP_SECONDS = 30.0


class Fault(NamedTuple):
    """Something that lasts for a while; ``begin`` and ``end`` are quick calls."""

    name: str
    seconds: float
    begin: Callable[[], object]
    end: Callable[[], object]


class Asked(NamedTuple):
    """One request: when it was sent, how long its answer took, its status; 0 when there was none."""

    at: float
    seconds: float
    status: int

    @property
    def went_well(self) -> bool:
        """Was it answered quickly, and with success?"""
        return self.status in (200, 201) and self.seconds <= QUICK_ANSWER_SECONDS


class Load:
    """Creates, cancels and reads; knows what was acknowledged."""

    def __init__(self, wires: Wires, chance: random.Random, rate: float) -> None:
        self.created: list[str] = []
        self.wrong: list[str] = []
        self.asked: list[Asked] = []
        self.under_way = 0
        self.most_under_way = 0
        self._cancelled = 0
        self._number = 0
        self._wires = wires
        self._chance = chance
        self._rate = rate

    async def come(self, end: asyncio.Event) -> None:
        """Requests until told to end, and their answers."""
        loop = asyncio.get_running_loop()
        due = loop.time()
        async with asyncio.TaskGroup() as group:
            while not end.is_set():
                due += self._chance.expovariate(self._rate)
                await asyncio.sleep(max(0.0, due - loop.time()))
                group.create_task(self._one())

    async def _one(self) -> None:
        kind = self._chance.random()
        if kind < 0.6:
            self._number += 1
            job = f"j{self._number}"
            path, body = f"/routing/jobs/{job}", {"channelId": "voice", "queueId": "q"}
            if await self._ask("PATCH", path, body) == 201:
                self.created.append(job)
        elif kind < 0.8 and self._cancelled < len(self.created):
            self._cancelled += 1
            await self._ask("POST", f"/routing/jobs/{self.created[self._cancelled - 1]}:cancel")
        else:
            await self._ask("GET", "/routing/workers/w")

    async def _ask(self, method: str, path: str, body: Any = None) -> int:
        loop = asyncio.get_running_loop()
        begun, status = loop.time(), 0
        self.under_way += 1
        self.most_under_way = max(self.most_under_way, self.under_way)
        try:
            async with asyncio.timeout(GIVEN_UP_SECONDS), self._wires.one() as wire:
                answer = await wire.ask(method, path, body)
            status = answer.status
            if status not in (200, 201) and not (status == 503 and "retry-after" in answer.headers):
                self.wrong.append(f"{method} {path}: {answer}")
        except (*LOST, TimeoutError) as error:
            self.wrong.append(f"{method} {path}: no answer: {error!r}")
        finally:
            self.under_way -= 1
        self.asked.append(Asked(begun, loop.time() - begun, status))
        return status


class Memory:
    """The resident memory of a process, in MB."""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self.first = self.most = self.now()

    def now(self) -> float:
        """At this moment."""
        pages = int(Path(f"/proc/{self._pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE") / 1e6

    def look(self) -> None:
        """Remembers the most."""
        self.most = max(self.most, self.now())


def prove(options: Options) -> Figures:
    """Runs it: every fault in turn, under load."""
    figures, times = Figures(), Times()
    with contextlib.ExitStack() as stack:
        server = stack.enter_context(support.server(options.program))
        net = stack.enter_context(network(options.chance("network")))
        socket = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="jr")), "s")
        link = net.before(server.socket, socket)
        here = stack.enter_context(site([link.url], [link.url]))
        call = stack.enter_context(contextlib.closing(Caller(f"http://127.0.0.1:{here.ports[0]}", KEY)))
        make_queue(call, "q", 3600)
        make_worker(call, "w", "q")
        assert server.process is not None
        pid = server.process.pid

        def late(seconds: float, lasting: float) -> Fault:
            return Fault(
                f"replies {seconds * 1000:.0f} ms late",
                lasting,
                lambda: net.delay(link, seconds),
                lambda: net.delay(link, 0.0),
            )

        held = Fault("nothing passes", 10.0, lambda: net.hold(link, True), lambda: net.hold(link, False))
        stopped = Fault(
            "the server is stopped",
            10.0,
            lambda: os.kill(pid, signal.SIGSTOP),
            lambda: os.kill(pid, signal.SIGCONT),
        )
        # whatever happens, it must be able to end
        stack.callback(os.kill, pid, signal.SIGCONT)
        faults = [late(0.05, 4.0), late(0.3, 4.0), late(1.0, 5.0), late(3.0, 8.0), held, stopped]
        if options.quick:
            faults = [late(0.3, 0.5), held._replace(seconds=1.0), stopped._replace(seconds=1.0)]
        memory = Memory(here.apis[0].process.pid)
        figures.tell("requests a second", options.times(RATE, QUICK_RATE))
        with Sleeper() as sleeper:
            load = uvloop.run(_play(here.ports[0], faults, memory, figures, times, options))
        times.judge(figures, options, sleeper)
        # the server has closed what was idle for so long
        call.close()
        lost = [job for job in load.created if call("GET", f"/routing/jobs/{job}")[0] != 200]
        figures.at_least("jobs created", len(load.created), 1)
        figures.none("acknowledged jobs that are lost", lost)
        figures.none("answers but success and 503 with Retry-After", load.wrong)
        figures.tell("requests under way, most", load.most_under_way)
        figures.tell("memory of the API in MB, before", round(memory.first))
        figures.at_most("memory of the API in MB, most", round(memory.most), round(memory.first) + GROWTH_MB)
        figures.none("parts that have ended", here.ended())
        figures.none("invariants violated", unsound(server.url, "main"))
    return figures


async def _play(
    port: int, faults: list[Fault], memory: Memory, figures: Figures, times: Times, options: Options
) -> Load:
    """All faults under load, each followed by a rest."""
    rest = 1.0 if options.quick else REST_SECONDS
    loop = asyncio.get_running_loop()

    async def pass_time(seconds: float) -> None:
        end = loop.time() + seconds
        while loop.time() < end:
            memory.look()
            await asyncio.sleep(LOOK_SECONDS)

    async with Wires(port, support.KEY) as wires:
        load = Load(wires, options.chance("load"), options.times(RATE, QUICK_RATE))
        for fault in faults:
            end = asyncio.Event()
            load.asked = []
            coming = asyncio.create_task(load.come(end))
            await pass_time(rest / 2)
            # from a thread: a network answers by itself, and nobody waits for it here
            await asyncio.to_thread(fault.begin)
            await pass_time(fault.seconds)
            await asyncio.to_thread(fault.end)
            over = loop.time()
            await pass_time(rest)
            end.set()
            await coming
            _tell(figures, times, fault, load.asked, over)
        return load


def _tell(figures: Figures, times: Times, fault: Fault, asked: list[Asked], over: float) -> None:
    counts = Counter(one.status for one in asked)
    longest = max(one.seconds for one in asked)
    recovered = max((one.at - over for one in asked if not one.went_well), default=0.0)
    figures.tell(f"{fault.name}: requests, answered 503", f"{len(asked):,}, {counts[503]:,}")
    times.note(f"{fault.name}: longest answer, s", longest, LIMIT_SECONDS)
    times.note(f"{fault.name}: recovered after s", max(0.0, recovered), RECOVERED_SECONDS)
