"""What a worker does over and over for one tenant: when it is woken, and from time to time."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import NamedTuple

from engine.errors import Failed, Unavailable

log = logging.getLogger("jobrouter.worker")

REPORTED_FAILURE = 3
"""Failures in a row before one is told: a single one is a restart of the store, or our own end."""


class Words(NamedTuple):
    """How it is told: the store cannot be reached; the work has failed otherwise; it goes on again."""

    unreachable: str
    failed: str
    again: str


class Rounds:
    """Goes on through all failures, tells of them once, and when they are over.

    ``failures`` counts those in a row.
    """

    def __init__(self, tenant: str, words: Words) -> None:
        self.failures = 0
        self._fault = ""
        self._tenant = tenant
        self._words = words
        self._woken = asyncio.Event()

    async def run(self, work: Callable[[], Awaitable[None]], seconds: float) -> None:
        """Works for ever, with pauses of at most so many seconds."""
        while True:
            try:
                await work()
                self.succeeded()
            except Exception as error:
                self.failed(error)
            await self.pause(seconds)

    def wake(self) -> None:
        """Ends the pause, or the next one at once: what is under way may have looked already."""
        self._woken.set()

    async def pause(self, seconds: float) -> bool:
        """Waits; whether it was woken before the time was over."""
        try:
            async with asyncio.timeout(seconds):
                await self._woken.wait()
        except TimeoutError:
            return False
        self._woken.clear()
        return True

    def failed(self, error: Exception) -> None:
        """A round has failed."""
        self.failures += 1
        if isinstance(error, Failed):
            # a fault of the library, which is no passing matter
            if str(error) != self._fault:
                self._fault = str(error)
                log.error("%s: %s, trying on: %s", self._tenant, self._words.failed, error)
            return
        if self.failures != REPORTED_FAILURE:
            return
        if isinstance(error, Unavailable):
            log.warning("%s: %s, trying on: %s", self._tenant, self._words.unreachable, error)
        else:
            log.error("%s: %s, trying on", self._tenant, self._words.failed, exc_info=error)

    def succeeded(self) -> None:
        """A round has not."""
        failures, self.failures, self._fault = self.failures, 0, ""
        if failures >= REPORTED_FAILURE:
            log.warning("%s: %s", self._tenant, self._words.again)
