"""A full server refuses what adds an entity; everything else goes on, so that it drains."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import AbstractAsyncContextManager

import msgspec
import pytest

from engine import commands as c
from engine.errors import OutOfMemory
from engine.store import Store
from tests import support

Opener = Callable[[], AbstractAsyncContextManager[Store]]

SUBSCRIBE = c.SubscriptionUpsert(
    id="hook",
    target="t",
    document='{"url":"https://a/"}',
    secret='{"url":"https://a/"}',
    code="code-of-a-handshake",
)
CREATE = (
    c.PolicyUpsert(kind="distribution", id="fair", expires_ms=60_000, mode="longestIdle", document="{}"),
    c.QueueUpsert(id="sales", distribution="fair"),
    c.WorkerUpsert(id="anna", capacity=1, available=True, queues='"sales"', channels='"voice"\t1\t'),
    c.JobCreate(id="call", channel="voice", queue="sales"),
    SUBSCRIBE,
)
ADD = (
    c.PolicyUpsert(kind="distribution", id="new", expires_ms=60_000, mode="longestIdle", document="{}"),
    c.QueueUpsert(id="new", distribution="fair"),
    c.WorkerUpsert(id="new", capacity=1),
    c.JobCreate(id="new", channel="voice", queue="sales"),
    msgspec.structs.replace(SUBSCRIBE, id="new"),
)
REPLACE = (
    c.PolicyUpsert(
        kind="distribution", id="fair", doc=1, expires_ms=30_000, mode="longestIdle", document="{}"
    ),
    c.QueueUpsert(id="sales", doc=1, distribution="fair", labels='"a":1'),
    c.WorkerUpsert(id="anna", doc=1, capacity=2, available=True, queues='"sales"', channels='"voice"\t1\t'),
    c.JobUpdate(id="call", doc=1, channel="voice", queue="sales", priority=7),
    msgspec.structs.replace(SUBSCRIBE, doc=1, enabled=False),
)


@pytest.fixture
def fill(server: support.Server) -> Iterator[Callable[[], object]]:
    """Makes the server full until the test is over."""
    client = server.client()
    yield lambda: client.config_set("maxmemory", "1mb")
    client.config_set("maxmemory", "0")
    client.close()


def test_a_full_server_adds_nothing_and_drains(
    open_store: Opener, root: str, fill: Callable[[], object]
) -> None:
    async def play() -> None:
        async with open_store() as store:
            for command in CREATE:
                await store.run(root, command)
            fill()
            for command in ADD:
                with pytest.raises(OutOfMemory):
                    await store.run(root, command)
            for command in REPLACE:
                assert (await store.run(root, command))["outcome"] == "updated"
            worker = await store.run(root, c.WorkerRead(id="anna"))
            offer = next(name[2:] for name in worker if name.startswith("o:"))
            accepted = await store.run(root, c.OfferAccept(worker="anna", offer=offer))
            done = {"job": "call", "assignment": accepted["assignment"]}
            await store.run(root, c.AssignmentComplete(**done))
            await store.run(root, c.AssignmentClose(**done))
            assert (await store.run(root, c.JobRead(id="call")))["status"] == "closed"
            with pytest.raises(OutOfMemory):
                await store.run(root, ADD[2])

    asyncio.run(play())
