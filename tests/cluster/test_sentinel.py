"""A primary behind Sentinel is found, and found again when another takes its place."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from engine.commands import JobRead, RouterStatus
from engine.errors import Unavailable
from engine.store import Store, root_of
from tests import nodes, support
from tests.cluster.test_routing import persistent, set_up
from tests.events.sse import Stream
from tests.signed import Caller


@pytest.fixture
def watched(server_program: Path) -> Iterator[nodes.Watched]:
    """Of its own for each test: Sentinels take longer to mend than to start."""
    with nodes.watched(server_program) as it:
        yield it


def with_store(watched: nodes.Watched, test: Callable[[Store], Awaitable[None]]) -> None:
    async def main() -> None:
        async with asyncio.timeout(4 * support.PATIENCE_SECONDS):
            store = await Store.open(watched.url)
            try:
                await test(store)
            finally:
                await store.close()

    asyncio.run(main())


@pytest.mark.parametrize("how", ["kill", "stand_still"])
def test_another_primary_is_found(watched: nodes.Watched, tenant: str, how: str) -> None:
    async def test(store: Store) -> None:
        root = await set_up(store, tenant)
        old = watched.primary()
        assert (await store.servers.address(root)).port == old.port
        getattr(old, how)()
        await persistent(store, root, "j")
        assert (await store.run(root, JobRead("j")))["status"] == "queued"
        assert (await store.servers.address(root)).port == watched.primary().port != old.port

    with_store(watched, test)


def test_a_failover_by_hand(watched: nodes.Watched, tenant: str) -> None:
    """Streams, timers and requests go on at the new primary."""
    with (
        support.served(watched.url, tenants=(tenant,)) as served,
        closing(Caller(served.url.replace("127.0.0.1", f"{tenant}.localhost"), served.key)) as call,
    ):
        assert served.worker
        assert served.worker.alarms
        mode = {"kind": "longestIdle"}
        policy = {"offerExpiresAfterSeconds": 1, "mode": mode}
        assert call("PATCH", "/routing/distributionPolicies/p", policy)[0] < 300
        assert call("PATCH", "/routing/queues/q", {"distributionPolicyId": "p"})[0] < 300
        channels = [{"channelId": "voice", "capacityCostPerJob": 1}]
        worker = {"capacity": 1, "queues": ["q"], "channels": channels, "availableForOffers": True}
        job = {"channelId": "voice", "queueId": "q"}
        old = watched.primary()
        with Stream(f"http://{call.host}", served.key, "eventType=RouterJobQueued") as stream:
            assert call("PATCH", "/routing/jobs/before", job)[0] < 300
            assert watched.sentinels[0].do("SENTINEL", "FAILOVER", watched.NAME) == "OK"
            support.eventually(lambda: watched.primary() is not old, "a failover")
            support.eventually(lambda: call("PATCH", "/routing/jobs/after", job)[0] < 300, "a job")
            assert [event.json["data"]["jobId"] for event in stream.take(2)] == ["before", "after"]
        support.eventually(served.worker.alarms.listening.is_set, "alarms of the new primary")
        support.eventually(lambda: call("PATCH", "/routing/workers/w", worker)[0] < 300, "a worker")
        support.eventually(
            lambda: not call("GET", "/routing/workers/w")[1].get("availableForOffers"), "expiry"
        )


def test_nobody_knows_the_name(watched: nodes.Watched) -> None:
    async def work() -> None:
        store = Store.at(watched.url.replace(watched.NAME, "others"))
        with pytest.raises(Unavailable, match=r"no Sentinel knows a primary of this name.*was not sent"):
            await store.run(root_of("t"), RouterStatus())
        await store.close()

    asyncio.run(work())
