"""Listens to the alarm keys of all tenants, on all primaries, and wakes who waits for them."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Iterable
from typing import Protocol

from redis.asyncio import Redis
from redis.asyncio.client import PubSub
from redis.exceptions import RedisError

from engine.address import Address
from engine.clients import administration
from engine.errors import Unavailable
from engine.servers import Servers
from engine.unending import unending

log = logging.getLogger("jobrouter.worker")

FLAGS = "K$x"
"""What notify-keyspace-events must contain: key space, strings (``set``), expired."""

CHANNELS = ("jr:{*}:alarm", "jr:{*}:bell", "jr:{*}:deliveries.bell")
"""The keys that are listened to, of all tenants: a user of the store is granted the channels of these."""

_SETTING = "notify-keyspace-events"
_PAUSE_SECONDS = 0.1
_LONGEST_PAUSE_SECONDS = 2.0
_LISTEN_SECONDS = 60.0
_REPORTED_FAILURE = 3


class Wakeful(Protocol):
    """Waits for an alarm key; what was missed is noticed by looking from time to time."""

    root: str
    alarm: str

    def alarm_set(self) -> None:
        """The key was set."""

    def alarm_expired(self) -> None:
        """The key has expired."""


class Alarms:
    """A subscription at each primary, since notifications stay where they arise.

    It is renewed when it is lost, and made anew where the keys are when primaries have changed. ``listening``
    is set while all stand.
    """

    def __init__(self, servers: Servers) -> None:
        self.listening = asyncio.Event()
        self._servers = servers
        self._waiting: tuple[Wakeful, ...] = ()
        self._heard: dict[Address, _Subscription] = {}

    async def run(self, waiting: Iterable[Wakeful]) -> None:
        """Listens for ever."""
        self._waiting = tuple(waiting)
        await unending(self._listen, "listening to alarms", log)

    async def _listen(self) -> None:
        tasks: dict[Address, asyncio.Task[None]] = {}
        try:
            while True:
                changed = self._servers.changed
                places = await self._places()
                await self._move(places, tasks)
                # who is nowhere now is looked for again
                whole = sum(map(len, places.values())) == len(self._waiting)
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(None if whole else _LONGEST_PAUSE_SECONDS):
                        await changed.wait()
        finally:
            for task in tasks.values():
                task.cancel()
            await asyncio.gather(*tasks.values(), return_exceptions=True)
            self._heard.clear()
            self._tell()

    async def _places(self) -> dict[Address, list[Wakeful]]:
        """Who waits for alarms of which primary."""
        places: dict[Address, list[Wakeful]] = {}
        for one in self._waiting:
            with contextlib.suppress(Unavailable):
                places.setdefault(await self._servers.address(one.root), []).append(one)
        return places

    async def _move(
        self, places: dict[Address, list[Wakeful]], tasks: dict[Address, asyncio.Task[None]]
    ) -> None:
        """Listens at these places, and nowhere else; what stays as it is goes on."""
        gone = [address for address, heard in self._heard.items() if places.get(address) != heard.waiting]
        for address in gone:
            del self._heard[address]
            tasks[address].cancel()
        await asyncio.gather(*(tasks.pop(address) for address in gone), return_exceptions=True)
        for address in places.keys() - self._heard.keys():
            self._heard[address] = _Subscription(address, places[address], self._tell)
            tasks[address] = asyncio.create_task(self._heard[address].run())
        self._tell()

    def _tell(self) -> None:
        standing = [heard for heard in self._heard.values() if heard.stands]
        if sum(len(heard.waiting) for heard in standing) == len(self._waiting):
            self.listening.set()
        else:
            self.listening.clear()


class _Subscription:
    """The alarms of one server. ``changed`` is called when it stands, and when it is lost."""

    def __init__(self, address: Address, waiting: list[Wakeful], changed: Callable[[], None]) -> None:
        self.waiting = waiting
        self.stands = False
        self._address = address
        self._changed = changed
        prefix = f"__keyspace@{address.database}__"
        self._channels = {f"{prefix}:{one.alarm}": one for one in waiting}

    async def run(self) -> None:
        """Listens for ever."""
        await unending(self._listen_on, f"listening to alarms of {self._address.shown}", log)

    async def _listen_on(self) -> None:
        failures = 0
        while True:
            try:
                await self._listen_until_cancelled()
            except (RedisError, OSError, TimeoutError) as error:
                failures = 1 if self.stands else failures + 1
                self._stand(False)
                # a single loss is nothing special: a restart of the store, or our own end
                if failures == _REPORTED_FAILURE:
                    log.warning("cannot listen to alarms of %s, trying on: %s", self._address.shown, error)
            except Exception:
                self._stand(False)
                raise
            await asyncio.sleep(min(_LONGEST_PAUSE_SECONDS, _PAUSE_SECONDS * 2 ** min(failures, 10)))

    def _stand(self, stands: bool) -> None:
        self.stands = stands
        self._changed()

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
            if not listening.cancelled():
                # it may have failed just before
                listening.exception()

    async def _listen(self) -> None:
        async with administration(self._address) as client:
            await request_notifications(client)
            async with client.pubsub() as subscription:
                await subscription.subscribe(*self._channels)
                await self._follow(subscription)

    async def _follow(self, subscription: PubSub) -> None:
        subscribed, asked = 0, False
        while True:
            message = await subscription.get_message(timeout=_LISTEN_SECONDS)
            if message is None:
                if asked:
                    raise TimeoutError("the server does not answer any more")
                await subscription.ping()
                asked = True
                continue
            asked = False
            one = self._channels.get(message["channel"])
            if message["type"] == "subscribe":
                subscribed += 1
                if subscribed == len(self._channels):
                    self._stand(True)
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
        present = (await client.config_get(_SETTING)).get(_SETTING) or ""
        missing = missing_flags(present)
        if missing:
            await client.config_set(_SETTING, present + missing)
            log.info("notify-keyspace-events is now %s", present + missing)


def missing_flags(present: str) -> str:
    """The flags that a value of notify-keyspace-events lacks; ``A`` stands for all classes."""
    return "".join(flag for flag in FLAGS if flag not in present and not (flag in "$x" and "A" in present))
