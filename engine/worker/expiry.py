"""The sweep of one tenant: does what is due, when it is due.

The agenda in the store is the truth. The alarm key only wakes: ``expired`` notifies that something
is due now, ``set`` that an earlier time may have been planned. A lost one costs at most ``SWEEP_SECONDS``.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable

from engine.commands import AgendaDue
from engine.errors import Unavailable
from engine.store import Store, root_of

log = logging.getLogger("jobrouter.worker")

SWEEP_SECONDS = 1.0
"""The longest pause between two sweeps."""
CLOCK_SECONDS = 60.0
"""How long the difference to the server's clock is believed."""

_REPORTED_FAILURE = 3


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
        self._woken = asyncio.Event()
        self._expired = False
        self._sweep_by = 0.0
        self._ahead_ms = 0.0
        self._clock_until = 0.0
        self._failures = 0

    def alarm_set(self) -> None:
        """An earlier time may have been planned: look."""
        self._woken.set()

    def alarm_expired(self) -> None:
        """Something is due: sweep."""
        self._expired = True
        self._woken.set()

    async def run(self) -> None:
        """Sweeps for ever."""
        while True:
            self._expired = False
            try:
                await self._sweep()
                self._recovered()
            except Exception as error:
                self._failed(error)
                self._sweep_by = _now() + min(SWEEP_SECONDS, 0.05 * 2 ** min(self._failures, 10))
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
            try:
                async with asyncio.timeout(pause):
                    await self._woken.wait()
            except TimeoutError:
                return
            self._woken.clear()
            if not self._expired:
                await self._look()

    async def _look(self) -> None:
        try:
            alarm = await self._store.connection.call("GET", self.alarm)
            await self._plan(int(alarm or 0))
        except Exception as error:
            self._failed(error)

    async def _plan(self, due_ms: int) -> None:
        self._due_ms = due_ms
        if due_ms == 0:
            return
        if _now() >= self._clock_until:
            seconds, micros = await self._store.connection.call("TIME")
            self._ahead_ms = int(seconds) * 1000 + int(micros) / 1000 - time.time() * 1000
            self._clock_until = _now() + CLOCK_SECONDS
        # one more millisecond: the server's clock is cut to whole ones
        pause = (due_ms + 1 - self._ahead_ms) / 1000 - time.time()
        self._sweep_by = min(self._sweep_by, _now() + pause)

    def _failed(self, error: Exception) -> None:
        self._clock_until = 0.0
        self._failures += 1
        # a single failure is nothing special: a restart of the store, or our own end
        if self._failures != _REPORTED_FAILURE:
            return
        if isinstance(error, Unavailable):
            log.warning("%s: cannot sweep, trying on: %s", self._tenant, error)
        else:
            log.error("%s: a sweep has failed, trying on", self._tenant, exc_info=error)

    def _recovered(self) -> None:
        failures, self._failures = self._failures, 0
        if failures >= _REPORTED_FAILURE:
            log.warning("%s: sweeping again", self._tenant)


def _now() -> float:
    return asyncio.get_running_loop().time()
