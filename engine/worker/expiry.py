"""The sweep of one tenant: does what is due, when it is due.

The agenda in the store is the truth. The alarm key only wakes: ``expired`` notifies that something
is due now, ``set`` that an earlier time may have been planned. A lost one costs at most ``SWEEP_SECONDS``.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from engine.commands import AgendaDue
from engine.rounds import Rounds, Words
from engine.store import Store, root_of

SWEEP_SECONDS = 1.0
"""The longest pause between two sweeps."""
CLOCK_SECONDS = 60.0
"""How long the difference to the server's clock is believed."""

_WORDS = Words("cannot sweep", "a sweep has failed", "sweeping again")


class Sweeper:
    """Sweeps one tenant until it is cancelled. ``sweeps`` counts the calls that were answered.

    ``late`` is told the tenant and for how many seconds that had been due which a sweep has done.
    """

    def __init__(self, store: Store, tenant: str, late: Callable[[str, float], None] | None = None) -> None:
        self.root = root_of(tenant)
        self.alarm = f"{self.root}:alarm"
        self.sweeps = 0
        self._store = store
        self._tenant = tenant
        self._late = late
        self._due_ms = 0
        self._rounds = Rounds(tenant, _WORDS)
        self._expired = False
        self._sweep_by = 0.0
        self._ahead_ms = 0.0
        self._clock_until = 0.0

    def alarm_set(self) -> None:
        """An earlier time may have been planned: look."""
        self._rounds.wake()

    def alarm_expired(self) -> None:
        """Something is due: sweep."""
        self._expired = True
        self._rounds.wake()

    async def run(self) -> None:
        """Sweeps for ever."""
        while True:
            self._expired = False
            try:
                await self._sweep()
                self._rounds.succeeded()
            except Exception as error:
                self._failed(error)
                self._sweep_by = _now() + min(SWEEP_SECONDS, 0.05 * 2 ** min(self._rounds.failures, 10))
            await self._sleep()

    async def _sweep(self) -> None:
        more = True
        while more:
            self._sweep_by = _now() + SWEEP_SECONDS
            reply = await self._store.run(self.root, AgendaDue())
            self.sweeps += 1
            more = bool(reply["more"])
            if self._late and self._due_ms and reply["done"]:
                self._late(self._tenant, (time.time() * 1000 + self._ahead_ms - self._due_ms) / 1000)
            self._due_ms = int(reply["next"])
        await self._plan(int(reply["next"]))

    async def _sleep(self) -> None:
        while not self._expired and (pause := self._sweep_by - _now()) > 0:
            if not await self._rounds.pause(pause):
                return
            if not self._expired:
                await self._look()

    async def _look(self) -> None:
        try:
            alarm = await self._store.ask(self.root, "GET", self.alarm)
            await self._plan(int(alarm or 0))
        except Exception as error:
            self._failed(error)

    async def _plan(self, due_ms: int) -> None:
        self._due_ms = due_ms
        if due_ms == 0:
            return
        if _now() >= self._clock_until:
            seconds, micros = await self._store.ask(self.root, "TIME")
            self._ahead_ms = int(seconds) * 1000 + int(micros) / 1000 - time.time() * 1000
            self._clock_until = _now() + CLOCK_SECONDS
        # one more millisecond: the server's clock is cut to whole ones
        pause = (due_ms + 1 - self._ahead_ms) / 1000 - time.time()
        self._sweep_by = min(self._sweep_by, _now() + pause)

    def _failed(self, error: Exception) -> None:
        self._clock_until = 0.0
        self._rounds.failed(error)


def _now() -> float:
    return asyncio.get_running_loop().time()
