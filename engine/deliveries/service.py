"""The deliveries of one tenant: takes a share of its subscriptions, and gives them back at the end."""

from __future__ import annotations

import asyncio
import logging
import os
import secrets
import socket
from collections.abc import Callable, Mapping
from typing import Any

from engine.commands import SubscriptionClaim, SubscriptionHeld, SubscriptionRelease
from engine.deliveries.delivery import Delivery, Surroundings
from engine.deliveries.sender import Sender
from engine.deliveries.slots import Slots
from engine.deliveries.tail import Tail
from engine.errors import Unavailable
from engine.rounds import Rounds, Words
from engine.store import Store, root_of

log = logging.getLogger("jobrouter.worker")

LEASE_SECONDS = 3.0
RENEW_SECONDS = 1.0

_PORTION = 100
_READING = 4
_WORDS = Words("cannot take subscriptions", "subscriptions cannot be taken", "taking subscriptions again")


class Deliveries:
    """Delivers for one tenant until it is cancelled. ``claims`` counts the renewals of its lease."""

    def __init__(
        self,
        store: Store,
        tenant: str,
        sender: Sender,
        slots: Slots,
        scale: float,
        late: Callable[[str, float], None] | None = None,
    ) -> None:
        self.root = root_of(tenant)
        self.alarm = f"{self.root}:deliveries.bell"
        self.claims = 0
        self.slots = slots
        self.holder = f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(4)}"
        self._store = store
        self._tenant = tenant
        self._tail = Tail(store, self.root, self._wake_all)
        self._around = Surroundings(
            store,
            self.root,
            tenant,
            self._tail,
            slots,
            sender,
            scale,
            asyncio.Semaphore(_READING),
            lambda: _now() < self._lease_until,
            late,
        )
        self._lease_until = 0.0
        self._working: dict[str, tuple[Delivery, asyncio.Task[None]]] = {}
        self._ending: set[asyncio.Task[None]] = set()
        self._following: asyncio.Task[None] | None = None
        self._rounds = Rounds(tenant, _WORDS)
        self._rung = False
        self._bell: str | None = None

    def alarm_set(self) -> None:
        """A subscription has changed, or dead letters were brought back."""
        self._rung = True
        self._rounds.wake()

    def alarm_expired(self) -> None:
        """Never: the bell stays."""

    async def run(self) -> None:
        """Delivers for ever."""
        try:
            await self._rounds.run(self._claim, RENEW_SECONDS)
        finally:
            await self._leave()

    async def _claim(self) -> None:
        more = True
        while more:
            asked_at = _now()
            reply = await self._store.run(
                self.root, SubscriptionClaim(self.holder, _PORTION, round(1000 * LEASE_SECONDS))
            )
            self.claims += 1
            for row in reply["rows"]:
                self._begin(row)
            held, share = int(reply["held"]), int(reply["share"])
            if held != len(self._working):
                await self._compare()
            # a little less than the store believes
            self._lease_until = asked_at + 0.9 * LEASE_SECONDS
            self._give_back(held - share)
            more = len(reply["rows"]) == _PORTION
        self._follow()
        # also where nobody tells of it
        bell = await self._store.ask(self.root, "GET", self.alarm)
        rung = self._rung or bell != self._bell
        self._rung, self._bell = False, bell
        for delivery, _ in self._working.values() if rung else ():
            delivery.look()
        self._wake_all()

    def _follow(self) -> None:
        """The outbox is followed while there is anybody to deliver to."""
        if self._working and (self._following is None or self._following.done()):
            self._following = asyncio.create_task(self._tail.run())
        elif not self._working and self._following is not None:
            self._following.cancel()
            self._following = None

    def _begin(self, row: Mapping[str, Any]) -> None:
        self._drop(row["id"])
        delivery = Delivery(self._around, row)
        task = asyncio.create_task(self._deliver(delivery))
        self._working[delivery.id] = (delivery, task)

    async def _deliver(self, delivery: Delivery) -> None:
        is_held = True
        try:
            is_held = await delivery.run()
        except Exception:
            log.exception("%s: subscription %s: trying on", self._tenant, delivery.id)
            await asyncio.sleep(RENEW_SECONDS)
        if self._is_ours(delivery):
            del self._working[delivery.id]
            if is_held:
                await self._release(delivery.id)

    def _is_ours(self, delivery: Delivery) -> bool:
        return delivery.id in self._working and self._working[delivery.id][0] is delivery

    async def _release(self, *ids: str) -> None:
        try:
            await self._store.run(self.root, SubscriptionRelease(self.holder, list(ids)))
        except Unavailable:
            return  # left to the lease, or to the next comparison

    def _drop(self, subscription_id: str) -> None:
        """Ends what is not ours any more."""
        found = self._working.pop(subscription_id, None)
        if found:
            task = found[1]
            task.cancel()
            self._ending.add(task)
            task.add_done_callback(self._ending.discard)

    async def _compare(self) -> None:
        """Ends what we have lost; gives back what we have and do not know of."""
        reply = await self._store.run(self.root, SubscriptionHeld(self.holder))
        held = set(reply["ids"])
        for subscription_id in self._working.keys() - held:
            self._drop(subscription_id)
        unknown = sorted(held - self._working.keys())[:_PORTION]
        if unknown:
            await self._release(*unknown)

    def _give_back(self, surplus: int) -> None:
        """Others have less than their share."""
        leaving = [delivery for delivery, _ in self._working.values()][: max(0, surplus)]
        for delivery in leaving:
            delivery.stop()

    async def _leave(self) -> None:
        if self._following is not None:
            self._following.cancel()
        tasks = [task for _, task in self._working.values()]
        for delivery, _ in list(self._working.values()):
            delivery.stop()
        if tasks:
            await asyncio.wait(tasks, timeout=LEASE_SECONDS)
        for task in (*tasks, *self._ending):
            task.cancel()
        await asyncio.gather(*tasks, *self._ending, return_exceptions=True)
        if self._following is not None:
            await asyncio.gather(self._following, return_exceptions=True)
        try:
            while (await self._store.run(self.root, SubscriptionRelease(self.holder, leaves=True)))["left"]:
                pass
        except Unavailable:
            return

    def _wake_all(self) -> None:
        for delivery, _ in self._working.values():
            delivery.wake()


def _now() -> float:
    return asyncio.get_running_loop().time()
