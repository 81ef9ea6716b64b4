"""A router with subscriptions, and the worker's deliveries beside it, for tests of the deliveries."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

from engine import commands as c
from engine.deliveries.sender import Sender
from engine.deliveries.service import Deliveries
from engine.deliveries.slots import Slots
from engine.outgoing.client import Client, Limits
from engine.store import Store, root_of
from engine.subscriptions.model import Secrets, Subscription, target
from tests.outgoing.endpoint import LOOPBACK

CODE = "0123456789abcdef"


def subscription(subscription_id: str, url: str, doc: int = 0, **asked: Any) -> c.SubscriptionUpsert:
    """The command that makes a subscription to all that is kept and comes."""
    document = Subscription(url=url.partition("?")[0], **{"after": 0, **asked})
    return c.SubscriptionUpsert(
        id=subscription_id,
        doc=doc,
        after=document.after,
        enabled=document.enabled,
        target=target(document.schema, url),
        document=document.text,
        secret=Secrets(url).text,
        code=CODE,
    )


async def eventually(look: Callable[[], Awaitable[Any]], seconds: float = 15.0) -> Any:
    """The first truthy answer of a look at the store."""
    async with asyncio.timeout(seconds):
        while not (found := await look()):
            await asyncio.sleep(0.005)
        return found


class Router:
    """One tenant."""

    def __init__(self, store: Store, url: str, tenant: str) -> None:
        self.store = store
        self.url = url
        self.tenant = tenant

    async def run(self, command: c.Command) -> dict[str, Any]:
        return await self.store.run(root_of(self.tenant), command)

    async def set_up(self) -> None:
        """A queue ``q`` without workers."""
        await self.run(
            c.PolicyUpsert("distribution", "p", expires_ms=60_000, mode="longestIdle", document="{}")
        )
        await self.run(c.QueueUpsert(id="q", distribution="p"))

    async def subscribe(self, subscription_id: str, url: str, **asked: Any) -> None:
        """A subscription whose endpoint has agreed."""
        await self.run(subscription(subscription_id, url, **asked))
        await self.run(c.SubscriptionConfirm(subscription_id, CODE))

    async def job(self, job_id: str) -> None:
        """Makes two events: received, queued."""
        await self.run(c.JobCreate(id=job_id, queue="q", channel="voice"))

    async def cancel(self, job_id: str) -> None:
        """Makes one more."""
        await self.run(c.JobCancel(id=job_id))

    async def read(self, subscription_id: str) -> dict[str, Any]:
        return await self.run(c.SubscriptionRead(subscription_id))

    async def counts(self, subscription_id: str, **wanted: int) -> bool:
        """Whether a subscription has these counts."""
        record = await self.read(subscription_id)
        return all(int(record.get(name, 0)) == count for name, count in wanted.items())

    async def holds(self, deliveries: Deliveries, count: int) -> bool:
        """Whether a worker delivers to so many subscriptions."""
        return len((await self.run(c.SubscriptionHeld(deliveries.holder)))["ids"]) == count

    @contextlib.asynccontextmanager
    async def delivering(self, scale: float = 0.001, seconds: float = 5.0) -> AsyncIterator[Deliveries]:
        """One worker's deliveries, with the times of the retry schedule multiplied by ``scale``."""
        limits = Limits(seconds, per_endpoint=2_000, waiting=0)
        async with Client(LOOPBACK, limits) as client:
            deliveries = Deliveries(self.store, self.tenant, Sender(client, seconds), Slots(), scale)
            task = asyncio.create_task(deliveries.run())
            try:
                yield deliveries
            finally:
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)
