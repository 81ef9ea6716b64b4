"""Writes that are answered only when a replica has them outlive their primary."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator

import pytest

from engine.commands import JobCancel, JobCreate, JobRead, RouterStatus
from engine.errors import Refused, Unavailable
from engine.replicated import Durability
from engine.servers import Servers
from engine.store import Store, root_of
from tests import support
from tests.cluster.test_routing import persistent, set_up, with_store
from tests.nodes import Cluster


def durable(cluster: Cluster, timeout_ms: int = 4_000) -> Store:
    return Store(Servers.of(cluster.url, durability=Durability(1, timeout_ms)))


async def executed(store: Store, root: str, job: str) -> None:
    """Returns as soon as a job is there."""
    async with asyncio.timeout(support.PATIENCE_SECONDS):
        while True:
            with contextlib.suppress(Refused):
                await store.run(root, JobRead(job))
                return


@contextlib.contextmanager
def without_replica(cluster: Cluster, root: str) -> Iterator[None]:
    """The replica of a tenant's primary stands still meanwhile."""
    (replica,) = cluster.replicas_of(cluster.primary_of(root))
    replica.stand_still()
    try:
        yield
    finally:
        replica.mend()
    support.eventually(cluster.is_whole)


def test_what_was_answered_outlives_its_primary(cluster: Cluster, tenants: list[str]) -> None:
    """Many calls at a time, in the midst of which the primary is killed."""

    async def work() -> None:
        store = durable(cluster)
        root = await set_up(store, tenants[0])
        old = cluster.primary_of(root)
        kept: list[str] = []
        lost: list[str] = []

        async def make(job: str) -> None:
            try:
                await store.run(root, JobCreate(id=job, queue="q", channel="voice"))
                kept.append(job)
            except Unavailable:
                lost.append(job)

        for number in range(20):
            if number == 10:
                old.kill()
            await asyncio.gather(*(make(f"{number}-{n}") for n in range(10)))
        assert len(kept) >= 100
        assert lost
        async with asyncio.timeout(support.PATIENCE_SECONDS):
            while True:
                try:
                    for job in kept:
                        assert (await store.run(root, JobRead(job)))["status"] == "queued"
                    break
                except Unavailable:
                    await asyncio.sleep(0.01)
        assert cluster.primary_of(root) is not old
        await store.close()

    asyncio.run(work())


def test_a_replica_that_does_not_follow(cluster: Cluster, tenants: list[str]) -> None:
    """The write was executed, and that is what is told; reads and refusals need no replica."""

    async def test(any_store: Store) -> None:
        root = await set_up(any_store, tenants[1])
        store = durable(cluster, 50)
        with without_replica(cluster, root):
            calls = (store.run(root, JobCreate(id=job, queue="q", channel="voice")) for job in "ab")
            for outcome in await asyncio.gather(*calls, return_exceptions=True):
                assert isinstance(outcome, Unavailable)
                assert "fewer than 1 replicas had the write in time; it was executed" in str(outcome)
            assert (await store.run(root, JobRead("a")))["status"] == "queued"
            with pytest.raises(Refused):
                await store.run(root, JobCancel("nobody"))
        # the same once more: nothing is done, and now the replica has it
        await persistent(store, root, "a")
        await store.close()

    with_store(cluster, test)


def test_who_reads_does_not_wait_for_replicas(cluster: Cluster, tenants: list[str]) -> None:
    async def test(any_store: Store) -> None:
        root = await set_up(any_store, tenants[1])
        await any_store.run(root, JobCreate(id="a", queue="q", channel="voice"))
        store = durable(cluster)
        with without_replica(cluster, root):
            write = asyncio.create_task(store.run(root, JobCreate(id="b", queue="q", channel="voice")))
            await executed(any_store, root, "b")
            assert (await store.run(root, JobRead("a")))["status"] == "queued"
            assert not write.done()
        assert (await write)["created"]
        await store.close()

    with_store(cluster, test)


def test_writes_that_come_while_others_wait_share_the_next_wait(cluster: Cluster, tenants: list[str]) -> None:
    """With one WAIT each, the last of them would wait as often as there are writes."""

    async def test(any_store: Store) -> None:
        root = await set_up(any_store, tenants[1])
        node = cluster.primary_of(root)
        store = durable(cluster, 300)
        await persistent(store, root, "before")
        with without_replica(cluster, root):
            node.do("CONFIG", "RESETSTAT")
            writes = []
            for number in range(20):
                call = store.run(root, JobCreate(id=f"j{number}", queue="q", channel="voice"))
                writes.append(asyncio.create_task(call))
                # each in a tick of its own, or several
                await asyncio.sleep(0)
                await asyncio.sleep(0)
            outcomes = await asyncio.gather(*writes, return_exceptions=True)
            assert all(isinstance(one, Unavailable) for one in outcomes)
            assert "cmdstat_wait:calls=2," in str(node.do("INFO", "commandstats"))
        await store.close()

    with_store(cluster, test)


def test_without_it_nobody_waits(cluster: Cluster, tenants: list[str]) -> None:
    async def test(store: Store) -> None:
        root = await set_up(store, tenants[2])
        node = cluster.primary_of(root)
        node.do("CONFIG", "RESETSTAT")
        await store.run(root, JobCreate(id="j", queue="q", channel="voice"))
        assert "cmdstat_wait" not in str(node.do("INFO", "commandstats"))
        durably = durable(cluster)
        calls = [JobCreate(id=f"j{number}", queue="q", channel="voice") for number in range(10)]
        await durably.run(root, RouterStatus())
        assert "cmdstat_wait" not in str(node.do("INFO", "commandstats"))
        await asyncio.gather(*(durably.run(root, call) for call in calls))
        # one for all calls of a tick
        assert "cmdstat_wait:calls=1," in str(node.do("INFO", "commandstats"))
        await durably.close()

    with_store(cluster, test)


def test_a_server_that_refuses_wait(cluster: Cluster, tenants: list[str]) -> None:
    """An error is no replica."""

    async def test(store: Store) -> None:
        root = await set_up(store, tenants[0])
        for node in cluster.nodes:
            node.do("ACL", "SETUSER", "poor", "on", ">p", "~*", "+@all", "-wait")
        url = cluster.url.replace("redis+cluster://", "redis+cluster://poor:p@")
        poor = Store(Servers.of(url, durability=Durability(1)))
        with pytest.raises(Unavailable, match="fewer than 1 replicas"):
            await poor.run(root, JobCreate(id="j", queue="q", channel="voice"))
        await poor.close()
        assert (await store.run(root_of(tenants[0]), JobRead("j")))["status"] == "queued"

    with_store(cluster, test)
