"""What a router may be asked in a time, whatever number of processes answers for it.

The bucket stands in the store (``jr_allowance_lease``). To ask it for each request would cost a call more
each, so a process takes a part of it in advance: what it will use in about a tenth of a second, found by
doubling and halving. A process with few requests asks for each of them; one with many asks some ten times a
second, as does one that finds the bucket empty.
"""

from __future__ import annotations

import asyncio
import logging
import math
import time
from collections.abc import Callable

from api.admission.refusals import TOLD_SECONDS
from api.call import Runner
from api.errors import TooManyRequests
from engine.commands import AllowanceLease
from engine.errors import Unavailable
from engine.settings import Rate
from engine.store import root_of

log = logging.getLogger("jobrouter.admission")

PART_SECONDS = 0.1
"""For how long a part of the bucket is to last, and how soon an empty bucket is asked again."""

KEPT_SECONDS = 1.0
"""How long what was taken may be used: who falls silent must not come back with more than others."""

BLIND_SECONDS = 1.0
"""How long everything is let in after the store has not answered, which will not answer that either."""

HUNG_SECONDS = 1.0
"""After so long without an answer those who wait are refused: the store would let them wait as long again."""


class Allowance:
    """This process's part of the bucket of one router."""

    def __init__(
        self, store: Runner, tenant: str, rate: Rate, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.rate = rate
        self._clock = clock
        self._store = store
        self._tenant = tenant
        self._root = root_of(tenant)
        self._most = max(1, math.ceil(rate.limit * PART_SECONDS * 1000 / rate.window_ms))
        self._size = 1
        self._left = 0
        self._leased_at = -math.inf
        self._used_at = math.inf
        self._blind_until = -math.inf
        self._spent_until = -math.inf
        self._waiting = 0
        self._hung = False
        self._lease: asyncio.Task[None] | None = None
        self._leased = asyncio.Event()

    def check(self) -> None:
        """Refuses what ``take`` would surely refuse. Raises TooManyRequests."""
        if not self._left and self._clock() < self._spent_until:
            raise self._refusal()

    async def take(self) -> None:
        """One request comes in. Raises TooManyRequests, and Unavailable when the store hangs."""
        while not self._take():
            self.check()
            self._begin_lease()
            self._waiting += 1
            try:
                await self._leased.wait()
            finally:
                self._waiting -= 1
            if self._hung:
                raise Unavailable("the store did not answer in time; nothing was done")

    def _take(self) -> bool:
        now = self._clock()
        if now < self._blind_until:
            return True
        if not self._left or now - self._leased_at > KEPT_SECONDS:
            return False
        self._left -= 1
        self._used_at = now
        if self._left < self._size // 4 and now >= self._spent_until:
            # before the last is used, so that nobody has to wait
            self._begin_lease()
        return True

    def _begin_lease(self) -> None:
        if self._lease is None:
            self._leased.clear()
            self._hung = False
            self._lease = asyncio.create_task(self._renew())

    async def _renew(self) -> None:
        used_up = self._left <= self._size // 4 and self._used_at - self._leased_at < PART_SECONDS
        self._size = min(self._most, self._size * 2) if used_up else max(1, self._size // 2)
        began = self._clock()
        # all who wait have begun to when this task runs
        wanted = min(self.rate.limit, max(self._size, self._waiting))
        try:
            command = AllowanceLease(wanted, self.rate.limit, self.rate.window_ms)
            reply = await self._store.run(self._root, command)
        except Exception as error:
            # whatever it is: those who wait must not wait for ever
            now = self._clock()
            if now - self._blind_until > TOLD_SECONDS:
                trace = not isinstance(error, Unavailable)
                log.warning("%s: the rate limit is not kept: %s", self._tenant, error, exc_info=trace)
            self._blind_until = now + BLIND_SECONDS
            self._hung = isinstance(error, Unavailable) and now - began >= HUNG_SECONDS
            return
        finally:
            self._lease = None
            self._leased.set()
        granted, now = int(reply["granted"]), self._clock()
        kept = self._left if now - self._leased_at <= KEPT_SECONDS else 0
        self._left, self._leased_at = kept + granted, now
        if granted < wanted:
            self._spent_until = now + max(PART_SECONDS, int(reply["wait_ms"]) / 1000)

    def _refusal(self) -> TooManyRequests:
        rate, seconds = self.rate, math.ceil(self._spent_until - self._clock())
        return TooManyRequests(
            f"The limit of {rate} is reached; nothing was done. Repeat the request after {seconds} s.",
            headers=((b"retry-after", b"%d" % max(1, seconds)),),
        )
