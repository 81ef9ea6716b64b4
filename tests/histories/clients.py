"""Concurrent clients of one tenant: mixed random operations at the server's own clock, each written down."""

from __future__ import annotations

import asyncio
import itertools
import random
import time
from collections.abc import Callable, Sequence
from typing import Any, cast

import msgspec

from engine import commands as c
from engine.errors import Refused, Unavailable
from engine.store import Store, root_of
from engine.worker.alarms import Alarms
from engine.worker.expiry import Sweeper
from tests.histories.book import Call, Tagged
from tests.histories.known import Known
from tests.twin.episodes import Episode
from tests.twin.moves import Maker
from tests.twin.placeholders import Step, resolve

RECORDED = 10_000_000
"""Entries that the log of calls keeps, and that of events: all of a history."""
LOOK_EVERY = 6
"""A client reads the events after so many operations."""
SWEEPERS = 2
ALONE = 0.7
"""How often a client tells the others what it has chosen, so that they do not race for it."""

VERIFIED = (
    *(c.PolicyRead, c.QueueRead, c.WorkerRead, c.JobRead),
    *(c.PolicyList, c.QueueList, c.WorkerList, c.JobList),
)
"""Reads that depend on the state alone, not on the time of the call."""

Lose = Callable[[str], None]
"""Told a text, sees to it that the reply to the call which has it is lost."""


class History:
    """One tenant, and what its clients have asked. ``stores`` are theirs, in turn.

    The clients of ``flaky``, every fourth, lose the answer to one of ``lose_every`` operations.
    """

    def __init__(
        self,
        tenant: str,
        seed: int,
        operations: int,
        stores: Sequence[Store],
        flaky: Store | None = None,
        lose: Lose = lambda text: None,
        lose_every: int = 100,
    ) -> None:
        self.tenant = tenant
        self.root = root_of(tenant)
        self.calls: list[Call] = []
        self._left = operations
        self._known = Known(self.root)
        self._maker = hurried(Episode(seed))
        self._dice = random.Random(seed)
        self._stores = stores
        self._flaky = flaky
        self._lose = lose
        self._lose_every = lose_every
        self._serial = itertools.count(1)

    async def run(self, clients: int) -> None:
        """Sets the router up, then lets clients and sweepers work until all operations are done."""
        for step in self._maker.start():
            await self._step(self._stores[0], step)
        sweeping = [asyncio.create_task(self._sweep(store)) for store in self._stores[:SWEEPERS]]
        try:
            async with asyncio.TaskGroup() as group:
                for number in range(clients):
                    group.create_task(self._client(number))
        finally:
            for task in sweeping:
                task.cancel()
            await asyncio.gather(*sweeping, return_exceptions=True)

    async def _sweep(self, store: Store) -> None:
        sweeper = Sweeper(store, self.tenant)
        async with asyncio.TaskGroup() as group:
            group.create_task(sweeper.run())
            group.create_task(Alarms(store.servers).run([sweeper]))

    async def _client(self, number: int) -> None:
        is_flaky = self._flaky is not None and number % 4 == 3
        store = self._flaky if self._flaky and is_flaky else self._stores[number % len(self._stores)]
        for turn in itertools.count(1):
            if self._left <= 0:
                return
            if turn % LOOK_EVERY == 0:
                await self._look(store)
            await self._step(store, self._maker.step(), loses=is_flaky and turn % self._lose_every == 0)

    async def _look(self, store: Store) -> None:
        """Reads the events; they are compared at the end, all together."""
        command = c.EventList(self._known.entry, 200)
        try:
            self._known.answered(command, await store.run(self.root, command))
        except Unavailable:
            await asyncio.sleep(0.01)

    async def _step(self, store: Store, step: Step, loses: bool = False) -> None:
        if isinstance(step.command, c.JobUpdate):
            # a PATCH keeps what it has read
            await self._call(store, c.JobRead(step.command.id))
        if isinstance(step.command, c.JobCreate) and not any(map(self._known.is_free, step.ids)):
            # as many jobs as may be: one is taken further
            step = self._dice.choice([self._maker.accept, self._maker.complete, self._maker.close])()
        # it is done when it comes: time goes by itself
        step.delay, step.due = 0, None
        self._known.router.now = int(time.time() * 1000)
        meant = resolve(step, self._known.router, self._known.memory)
        if not meant:
            await self._look(store)
            return
        command = meant[1]
        if isinstance(command, c.SettingsWrite):
            command = msgspec.structs.replace(command, recording=RECORDED, keep_events_count=RECORDED)
        if self._dice.random() < ALONE:
            self._known.taken(command)
        if isinstance(command, c.JobCreate) and command.doc:
            # another life of a job that has ended, perhaps since it was read last
            await self._call(store, c.JobRead(command.id))
            present = self._known.router.jobs.get(command.id)
            command = msgspec.structs.replace(command, doc=present.doc if present else 0)
        if command.write or isinstance(command, VERIFIED):
            await self._call(store, command, loses)

    async def _call(self, store: Store, command: c.Command, loses: bool = False) -> None:
        self._left -= 1
        call = Call(f"call-{next(self._serial):08d}.", command, 0)
        self.calls.append(call)
        given = cast(c.Command, Tagged(command, call.tag)) if command.write else command
        if loses and command.write:
            self._lose(call.tag)
        call.invoked = time.monotonic()
        try:
            call.outcome = await store.run(self.root, given)
        except Refused as refusal:
            call.outcome = refusal
        except Unavailable:
            # perhaps it was executed: it may take effect at any time from now on
            await asyncio.sleep(0.01)
            return
        call.completed = time.monotonic()
        await self._take_in(store, command, call.outcome)

    async def _take_in(self, store: Store, command: c.Command, outcome: dict[str, Any] | Refused) -> None:
        if not isinstance(outcome, Refused):
            self._known.answered(command, outcome)
            if outcome.get("outcome") != "exists":
                return
        elif outcome.code in ("NOT_FOUND", "TAKEN"):
            self._known.missing(command)
            return
        elif outcome.code not in ("CHANGED", "CONFLICT"):
            return
        look = Known.look_at(command)
        if look is not None:
            await self._call(store, look)


def hurried(maker: Maker) -> Maker:
    """The same with times that pass while a history lasts."""
    maker.offer_ms = [ms if ms > 2_000 else ms // 2 for ms in maker.offer_ms]
    return maker
