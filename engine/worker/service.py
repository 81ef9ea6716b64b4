"""The worker: sweeps every tenant in time, asks rules that others answer, delivers events.

Any number may run.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Protocol

import msgspec

from engine import open_files
from engine.deliveries.sender import Sender
from engine.deliveries.service import Deliveries
from engine.deliveries.slots import EXTRA, Slots
from engine.log_context import context_of
from engine.outgoing.client import Client, Limits
from engine.outgoing.guard import Allowed
from engine.outgoing.rules import rule_caller
from engine.sharing import group_of_tasks
from engine.store import Store
from engine.unending import unending
from engine.worker.alarms import Alarms
from engine.worker.expiry import Sweeper
from engine.worker.questions import Questions, Reading
from engine.worker.rankings import Rankings
from engine.worker.remote_rules import RemoteRules

if TYPE_CHECKING:
    from engine.metrics import Metrics
    from engine.worker.observer import Observer

log = logging.getLogger("jobrouter.worker")

_PAUSE_SECONDS = 0.1
_SUBSCRIPTIONS = 1_000


class Outgoing(msgspec.Struct, frozen=True):
    """How the outside is called.

    Rules: how answers are read, each try's time, tries after the first. Deliveries of events: each try's
    time, and what all times of their retry schedule are multiplied by. ``allowed``: where calls may go.
    """

    reading: Reading
    allowed: tuple[str, ...] = ()
    timeout_seconds: float = 5.0
    retries: int = 1
    delivery_seconds: float = 30.0
    retry_scale: float = 1.0

    def total_seconds(self, limits: Limits) -> float:
        """A call's longest time: its turn, then a token and the answer, with all their tries."""
        return limits.wait_seconds + 2 * (self.retries + 1) * (self.timeout_seconds + _PAUSE_SECONDS)


class _Part(Protocol):
    """What is done for one tenant."""

    async def run(self) -> None:
        """Works until it is cancelled."""


class Worker:
    """Works for all tenants, woken by the alarms of the servers unless ``notifications`` is false.

    Work for a tenant begins when ``ready`` has returned for it, at once without. With ``metrics`` the worker
    also observes every router that no other worker observes, and tells how late it is.
    Raises ValueError when an entry of ``outgoing.allowed`` is neither an address, a network nor a host.
    """

    def __init__(
        self,
        store: Store,
        tenants: Iterable[str],
        outgoing: Outgoing,
        *,
        notifications: bool = True,
        metrics: Metrics | None = None,
        ready: Callable[[str], Awaitable[None]] | None = None,
    ) -> None:
        late = metrics.agenda_lag if metrics else None
        self.sweepers = {tenant: Sweeper(store, tenant, late) for tenant in tenants}
        self.metrics = metrics
        self.alarms = Alarms(store.servers) if notifications else None
        self._store = store
        self._ready = ready
        self._outgoing = outgoing
        self._allowed = Allowed.parse(outgoing.allowed)

    async def run(self) -> None:
        """Works until it is cancelled. Raises what ``ready`` does."""
        async with self._calling() as calling, self._sender() as sender, group_of_tasks() as group:
            remote = [RemoteRules(self._store, tenant, *calling) for tenant in self.sweepers]
            slots, scale = Slots(), self._outgoing.retry_scale
            late = self.metrics.delivery_lag if self.metrics else None
            deliveries = [
                Deliveries(self._store, tenant, sender, slots, scale, late) for tenant in self.sweepers
            ]
            kinds: list[Sequence[_Part]] = [[*self.sweepers.values()], remote, deliveries, self._observers()]
            ready = {tenant: group.create_task(self._prepare(tenant)) for tenant in self.sweepers}
            for parts in kinds:
                for tenant, part in zip(self.sweepers, parts, strict=False):
                    group.create_task(_after(ready[tenant], part), context=context_of(tenant))
            if self.alarms is not None:
                group.create_task(self.alarms.run((*self.sweepers.values(), *remote, *deliveries)))

    async def _prepare(self, tenant: str) -> None:
        if self._ready is not None:
            await self._ready(tenant)

    def _observers(self) -> list[Observer]:
        if self.metrics is None:
            return []
        # only what is wanted is imported
        from engine.worker.observer import Observer

        return [Observer(self._store, tenant, self.metrics) for tenant in self.sweepers]

    @contextlib.asynccontextmanager
    async def _calling(self) -> AsyncIterator[tuple[Questions, Rankings]]:
        given = self._outgoing
        limits = Limits(timeout_seconds=given.timeout_seconds)
        async with (
            Client(self._allowed, limits) as client,
            rule_caller(
                client,
                retries=given.retries,
                pause_seconds=_PAUSE_SECONDS,
                total_seconds=given.total_seconds(limits),
            ) as caller,
        ):
            yield Questions(caller, given.reading, client), Rankings(caller)

    @contextlib.asynccontextmanager
    async def _sender(self) -> AsyncIterator[Sender]:
        seconds = self._outgoing.delivery_seconds
        # what each subscription may do is bounded by its own places, not by those of its host
        most = _SUBSCRIPTIONS * len(self.sweepers) + EXTRA
        open_files.allow(2 * most)
        limits = Limits(seconds, connections=most, per_endpoint=most, waiting=0)
        async with Client(self._allowed, limits) as client:
            yield Sender(client, seconds)


async def _after(ready: asyncio.Task[None], part: _Part) -> None:
    # a failure ends the whole worker by itself
    await asyncio.wait({ready})
    await unending(part.run, type(part).__name__, log)
