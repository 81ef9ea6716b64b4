"""Delivers the events of one subscription, from the time it is taken until it is given back or lost."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from engine.commands import EventList, SubscriptionCommit, SubscriptionDue, SubscriptionLanes
from engine.deliveries.outbox import Entry, Event, entry_of, event
from engine.deliveries.progress import Progress, Work
from engine.deliveries.sender import Outcome, Sender, now_ms
from engine.deliveries.slots import Pace, Slots
from engine.deliveries.tail import Tail
from engine.deliveries.tries import Tries, given_up, pause_ms
from engine.errors import Unavailable
from engine.outbox import Lost, as_bytes, check_kept, entries
from engine.outgoing.secret import Secret
from engine.store import Store
from engine.subscriptions.formats import Recipient
from engine.subscriptions.model import Secrets, Subscription

log = logging.getLogger("jobrouter.worker")

UNSAVED = 64
"""Deliveries under way or not written down: what may be repeated when the worker is killed."""
ASIDE_SECONDS = 1.0
"""A delivery that takes longer does not hold the cursor up any more."""
COMMIT_SECONDS = 0.01
"""The pause between two commits."""
MOVED_SECONDS = 5.0
"""The pause when only the cursor has moved, over events that were not wanted."""
DUE_SECONDS = 2.0
"""The longest pause between two looks for events that a replay has brought back."""

_PORTION = 32
_RETRYING = 32
_STORE_PAUSE_SECONDS = 0.5
_CROWDED_SECONDS = 0.1


class Surroundings(msgspec.Struct):
    """What all deliveries of a worker and a tenant have in common.

    ``may_send`` tells whether the lease still runs; ``reading`` bounds the reads of those who are behind;
    ``late`` is told how old each event was when it arrived, in seconds.
    """

    store: Store
    root: str
    tenant: str
    tail: Tail
    slots: Slots
    sender: Sender
    scale: float
    reading: asyncio.Semaphore
    may_send: Callable[[], bool]
    late: Callable[[str, float], None] | None


class Outdated(Exception):
    """Somebody else has the subscription now, or it has changed."""


class Delivery:
    """One subscription. ``run`` ends when it is lost, or after ``stop``."""

    def __init__(self, around: Surroundings, row: Mapping[str, Any]) -> None:
        self.id: str = row["id"]
        self._around = around
        self._token = int(row["token"])
        self._subscription = Subscription.parse(row["document"])
        secrets = Secrets.parse(row["secret"])
        self._url = Secret(secrets.url)
        self._recipient = Recipient(
            self.id, self._subscription.schema, row.get("origin", ""), tuple(secrets.signing)
        )
        self._progress = Progress(int(row["cursor"]), row.get("ahead", "").split())
        self._progress.room = int(row["room"])
        self._has_lanes = int(row["due_in"]) >= 0
        self._pace = Pace()
        # what is under way, and whether it has a place that others could use
        self._sending: dict[asyncio.Task[None], bool] = {}
        self._woken = asyncio.Event()
        self._stopping = False
        self._error = ""
        self._due_at = self._at(int(row["due_in"]))
        self._committed_at = 0.0

    def wake(self) -> None:
        """There may be something to do."""
        self._woken.set()

    def look(self) -> None:
        """There may be events that a replay has brought back."""
        self._due_at = 0.0

    def stop(self) -> None:
        """Begins nothing new; what is under way may end, and is written down."""
        self._stopping = True
        self._woken.set()

    async def run(self) -> bool:
        """Delivers. False when the subscription is lost. Raises what the store does, but for Unavailable."""
        try:
            if self._has_lanes:
                await self._load_lanes()
            while not self._stopping:
                self._woken.clear()
                await self._patiently(self._step)
                await self._pause()
            if self._sending:
                await asyncio.wait(self._sending, timeout=ASIDE_SECONDS)
            await self._commit()
            return True
        except Outdated:
            return False
        finally:
            self._stopping = True
            for task in self._sending:
                task.cancel()
            await asyncio.gather(*self._sending, return_exceptions=True)

    async def _patiently(self, step: Callable[[], Any]) -> None:
        try:
            await step()
        except Unavailable:
            await asyncio.sleep(_STORE_PAUSE_SECONDS)
            self._woken.set()

    async def _step(self) -> None:
        if _now() >= self._commit_at():
            await self._commit()
        if _now() >= self._due_at:
            await self._resume()
        self._send()
        await self._take()

    async def _pause(self) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout_at(min(self._due_at, self._commit_at())):
                await self._woken.wait()

    def _commit_at(self) -> float:
        if self._progress.has_changes:
            return self._committed_at + COMMIT_SECONDS
        return self._committed_at + MOVED_SECONDS if self._progress.has_moved else math.inf

    # ---- the store -------------------------------------------------------------------------------

    async def _load_lanes(self) -> None:
        cursor = ""
        while cursor != "0":
            reply = await self._run(SubscriptionLanes(self.id, cursor or "0"))
            self._progress.parked.update(reply["lanes"])
            cursor = reply["next"]

    async def _run(self, command: Any) -> dict[str, Any]:
        """Runs a command until the store answers."""
        while True:
            try:
                return await self._around.store.run(self._around.root, command)
            except Unavailable:
                await asyncio.sleep(_STORE_PAUSE_SECONDS)

    async def _commit(self) -> None:
        """Raises Outdated."""
        if not (self._progress.has_changes or self._progress.has_moved):
            return
        one = self._progress.commit()
        error, self._error = self._error, ""
        command = SubscriptionCommit(
            self.id,
            self._token,
            one.number,
            one.cursor,
            one.lost,
            one.delivered,
            one.ahead,
            one.changes,
            error,
        )
        reply = await self._run(command)
        self._committed_at = _now()
        if reply["outcome"] == "outdated":
            raise Outdated
        self._progress.committed(int(reply["cursor"]), reply["empty"], int(reply["room"]))
        self._due_at = self._at(int(reply["due_in"]))
        if one.lost:
            log.warning("%s: subscription %s: events were lost", self._around.tenant, self.id)

    async def _resume(self) -> None:
        """Takes what is to be tried again."""
        free = _RETRYING - self._progress.retrying
        if free < _RETRYING // 4:
            # a look reads those that are tried already as well: not for the sake of one or two
            self._due_at = _now() + _CROWDED_SECONDS
            return
        # those that are tried already come first
        reply = await self._run(SubscriptionDue(self.id, self._progress.retrying + free))
        for row in reply["rows"]:
            if row["payload"]:
                told = event(row["place"], "", as_bytes(row["payload"]), int(row["at"]))
                self._progress.resume(row["lane"], told._replace(lane=row["lane"]), row["tries"])
            else:
                self._progress.lose(row["lane"])
        due_in = int(reply["due_in"])
        self._due_at = _now() + DUE_SECONDS if due_in == 0 else self._at(due_in)

    def _at(self, due_in: int) -> float:
        """When to look for what is due; -1: nothing is."""
        return _now() + (DUE_SECONDS if due_in < 0 else min(DUE_SECONDS, due_in / 1000))

    async def _take(self) -> None:
        """Takes what the outbox has, as far as there is room."""
        while self._progress.has_room and not self._stopping:
            entries = self._around.tail.after(self._progress.read, _PORTION)
            if entries is None:
                entries = await self._read_behind()
            if not entries:
                return
            for entry in entries:
                if not self._progress.has_room:
                    break
                self._progress.take(entry, self._is_wanted)
            self._send()
            # many that are not wanted must not keep others from their turn
            await asyncio.sleep(0)

    async def _read_behind(self) -> list[Entry]:
        async with self._around.reading:
            reply = await self._around.store.run(self._around.root, EventList(self._progress.read, _PORTION))
        try:
            check_kept(self._progress.read, reply)
        except Lost:
            if self._progress.is_idle:
                self._progress.skip()
                self._woken.set()
            return []
        return [entry_of(entry) for entry in entries(reply)]

    def _is_wanted(self, one: Event) -> bool:
        return self._subscription.filters.admits(one.kind, one.about)

    # ---- the endpoint ----------------------------------------------------------------------------

    def _send(self) -> None:
        """Begins as many deliveries as there may be."""
        while (
            len(self._sending) < self._pace.most
            and len(self._sending) + self._progress.unsaved < UNSAVED
            and not self._stopping
            and self._around.may_send()
        ):
            extra = bool(self._sending)
            if extra and not self._around.slots.take():
                return
            work = self._progress.next()
            if work is None:
                if extra:
                    self._around.slots.give_back()
                return
            task = asyncio.create_task(self._deliver(work))
            self._sending[task] = extra
            task.add_done_callback(self._sent)

    def _sent(self, task: asyncio.Task[None]) -> None:
        if self._sending.pop(task):
            self._around.slots.give_back()
        self._send()
        self._woken.set()
        if not task.cancelled() and (error := task.exception()):
            log.error(
                "%s: subscription %s: a delivery has failed", self._around.tenant, self.id, exc_info=error
            )

    async def _deliver(self, work: Work) -> None:
        loop, began = asyncio.get_running_loop(), _now()
        tries = Tries.parse(work.tries)
        aside_ms = round(2_000 * self._around.sender.seconds)
        timer = loop.call_later(ASIDE_SECONDS, self._set_aside, work, aside_ms)
        try:
            outcome = await self._around.sender.send(self._url, self._recipient, work.event, tries.count)
        except Exception as error:
            # whatever it is, it must not stand in the way of other events; its text may hold the URL
            kind = type(error).__name__
            log.error("%s: subscription %s: cannot be sent (%s)", self._around.tenant, self.id, kind)
            outcome = Outcome(0, "the event cannot be sent")
        finally:
            timer.cancel()
        self._pace.took(_now() - began)
        if outcome.arrived:
            self._progress.delivered(work)
            if self._around.late and work.event.at:
                self._around.late(self._around.tenant, (now_ms() - work.event.at) / 1000)
            return
        self._error = outcome.text
        self._failed(work, tries.after(now_ms(), *outcome))

    def _set_aside(self, work: Work, delay_ms: int) -> None:
        self._progress.set_aside(work, delay_ms)
        self._woken.set()

    def _failed(self, work: Work, tries: Tries) -> None:
        asked, scale = self._subscription, self._around.scale
        born = work.event.at or tries.first
        why = given_up(tries, born, asked.attempts, asked.minutes, scale)
        if why is None:
            self._progress.failed(work, pause_ms(tries.count, scale), tries.text)
        else:
            self._progress.given_up(work, msgspec.structs.replace(tries, why=why).text)


def _now() -> float:
    return asyncio.get_running_loop().time()
