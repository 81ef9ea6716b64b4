"""Listens to the alarm keys of all tenants, and wakes who waits for them."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Iterable
from typing import Protocol

from redis.asyncio import Redis
from redis.asyncio.client import PubSub
from redis.exceptions import RedisError

from engine.address import Address
from engine.clients import administration

log = logging.getLogger("jobrouter.worker")

FLAGS = "K$x"
"""What notify-keyspace-events must contain: key space, strings (``set``), expired."""

_SETTING = "notify-keyspace-events"
_PAUSE_SECONDS = 0.1
_LONGEST_PAUSE_SECONDS = 2.0
_LISTEN_SECONDS = 60.0
_REPORTED_FAILURE = 3


class Wakeful(Protocol):
    """Waits for an alarm key; what was missed is noticed by looking from time to time."""

    alarm: str

    def alarm_set(self) -> None:
        """The key was set."""

    def alarm_expired(self) -> None:
        """The key has expired."""


class Alarms:
    """One subscription, renewed when it is lost. ``listening`` is set while it stands."""

    def __init__(self, url: str) -> None:
        self.listening = asyncio.Event()
        self._url = url
        self._waiting: dict[str, Wakeful] = {}

    async def run(self, waiting: Iterable[Wakeful]) -> None:
        """Listens for ever."""
        database = Address.parse(self._url).database
        self._waiting = {f"__keyspace@{database}__:{one.alarm}": one for one in waiting}
        failures = 0
        while True:
            try:
                await self._listen_until_cancelled()
            except (RedisError, OSError, TimeoutError) as error:
                failures = 1 if self.listening.is_set() else failures + 1
                self.listening.clear()
                # a single loss is nothing special: a restart of the store, or our own end
                if failures == _REPORTED_FAILURE:
                    log.warning("cannot listen to alarms, trying on: %s", error)
            await asyncio.sleep(min(_LONGEST_PAUSE_SECONDS, _PAUSE_SECONDS * 2 ** min(failures, 10)))

    async def _listen_until_cancelled(self) -> None:
        listening = asyncio.create_task(self._listen())
        try:
            await asyncio.wait({listening})
            await listening
        finally:
            # the client swallows a cancellation that meets it while it connects: once is not always enough
            while not listening.done():
                listening.cancel()
                await asyncio.wait({listening}, timeout=_PAUSE_SECONDS)

    async def _listen(self) -> None:
        async with administration(self._url) as client:
            await request_notifications(client)
            async with client.pubsub() as subscription:
                await subscription.subscribe(*self._waiting)
                await self._follow(subscription)

    async def _follow(self, subscription: PubSub) -> None:
        subscribed = 0
        while True:
            message = await subscription.get_message(timeout=_LISTEN_SECONDS)
            if message is None:
                await subscription.ping()
                continue
            one = self._waiting.get(message["channel"])
            if message["type"] == "subscribe":
                subscribed += 1
                if subscribed == len(self._waiting):
                    self.listening.set()
            if one is None:
                continue
            # what happened before the subscription stood was not heard: look as well
            if message["data"] == "expired":
                one.alarm_expired()
            elif message["data"] == "set" or message["type"] == "subscribe":
                one.alarm_set()


async def request_notifications(client: Redis) -> None:
    """Adds what the alarms need to the server's notifications; sweeping goes on where that is not allowed."""
    with contextlib.suppress(RedisError):
        present = (await client.config_get(_SETTING))[_SETTING] or ""
        missing = missing_flags(present)
        if missing:
            await client.config_set(_SETTING, present + missing)
            log.info("notify-keyspace-events is now %s", present + missing)


def missing_flags(present: str) -> str:
    """The flags that a value of notify-keyspace-events lacks; ``A`` stands for all classes."""
    return "".join(flag for flag in FLAGS if flag not in present and not (flag in "$x" and "A" in present))
