"""Calls reach the primary that has the keys of their tenant, wherever it is."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from engine.commands import JobCreate, JobRead, PolicyUpsert, QueueUpsert, RouterStatus
from engine.diagnosis import diagnose
from engine.errors import Unavailable
from engine.inspection import problems
from engine.store import Store, root_of
from tests import support
from tests.nodes import Cluster

Test = Callable[[Store], Awaitable[None]]


def with_store(cluster: Cluster, test: Test) -> None:
    async def main() -> None:
        async with asyncio.timeout(4 * support.PATIENCE_SECONDS):
            store = await Store.open(cluster.url)
            try:
                await test(store)
            finally:
                await store.close()

    asyncio.run(main())


async def set_up(store: Store, tenant: str) -> str:
    """A queue without workers; gives the root."""
    root = root_of(tenant)
    await store.run(root, PolicyUpsert("distribution", "p", expires_ms=60_000, mode="longestIdle"))
    await store.run(root, QueueUpsert(id="q", distribution="p"))
    return root


async def persistent(store: Store, root: str, job: str) -> None:
    """Makes a job as a client does that repeats what was not answered."""
    while True:
        try:
            await store.run(root, JobCreate(id=job, queue="q", channel="voice"))
            return
        except Unavailable:
            await asyncio.sleep(0.01)


def test_each_tenant_is_on_its_primary(cluster: Cluster, tenants: list[str]) -> None:
    async def test(store: Store) -> None:
        for tenant in tenants:
            root = await set_up(store, tenant)
            await store.run(root, JobCreate(id="j", queue="q", channel="voice"))
            assert (await store.run(root, JobRead("j")))["status"] == "queued"
            assert cluster.primary_of(root).do("EXISTS", root) == 1

    with_store(cluster, test)
    assert len({cluster.primary_of(root_of(tenant)).port for tenant in tenants}) == 3


def test_every_primary_has_the_library(cluster: Cluster, tenants: list[str]) -> None:
    async def test(store: Store) -> None:
        for tenant in tenants:
            node = cluster.primary_of(root_of(tenant))
            assert node.do("FUNCTION", "LIST")
            node.do("FUNCTION", "FLUSH")
            # who needs it brings it back
            await store.run(root_of(tenant), RouterStatus())
            assert node.do("FUNCTION", "LIST")

    with_store(cluster, test)


def test_another_primary_is_found(cluster: Cluster, tenants: list[str]) -> None:
    """After a failover by hand the old primary says where the keys are; nothing that was answered is lost."""

    async def test(store: Store) -> None:
        root = await set_up(store, tenants[0])
        old = cluster.primary_of(root)
        (replica,) = cluster.replicas_of(old)
        replica.do("CLUSTER", "FAILOVER")
        number = 0
        while cluster.primary_of(root) is old:
            await persistent(store, root, f"j{number}")
            number += 1
        await persistent(store, root, "last")
        for job in range(number):
            assert (await store.run(root, JobRead(f"j{job}")))["status"] == "queued"
        assert (await store.servers.address(root)).port == replica.port

    with_store(cluster, test)


@pytest.mark.parametrize("how", ["kill", "stand_still"])
def test_a_primary_that_fails(cluster: Cluster, tenants: list[str], how: str) -> None:
    """Its tenants go on at its replica; the others do not notice."""

    async def test(store: Store) -> None:
        root, other = await set_up(store, tenants[0]), await set_up(store, tenants[1])
        old = cluster.primary_of(root)
        (replica,) = cluster.replicas_of(old)
        getattr(old, how)()
        await store.run(other, JobCreate(id="other", queue="q", channel="voice"))
        await persistent(store, root, "j")
        assert (await store.run(root, JobRead("j")))["status"] == "queued"
        assert (await store.servers.address(root)).port == replica.port

    with_store(cluster, test)


def test_a_call_under_way_to_a_primary_that_fails_is_unknown(cluster: Cluster, tenants: list[str]) -> None:
    async def test(store: Store) -> None:
        root = await set_up(store, tenants[0])
        cluster.primary_of(root).stand_still()
        with pytest.raises(Unavailable, match="whether the call was executed is unknown"):
            await store.run(root, JobCreate(id="j", queue="q", channel="voice"))

    with_store(cluster, test)


def test_nobody_answers(cluster: Cluster) -> None:
    async def work() -> None:
        store = Store.at("redis+cluster://127.0.0.1:1,127.0.0.1:2")
        with pytest.raises(Unavailable, match=r"no node of the cluster answers.*the call was not sent"):
            await store.run("jr:{t}", RouterStatus())
        await store.close()

    asyncio.run(work())


def test_it_is_sound_and_looked_after(cluster: Cluster, tenants: list[str]) -> None:
    async def test(store: Store) -> None:
        for tenant in tenants:
            await set_up(store, tenant)
            assert [texts async for _, texts in problems(cluster.url, tenant) if texts] == []
        findings = [one async for one in diagnose(cluster.url, tenants, whole=True)]
        by_server = [one.text.partition(": ")[0] for one in findings if one.code == "library"]
        wanted = {f"127.0.0.1:{cluster.primary_of(root_of(tenant)).port}" for tenant in tenants}
        assert len(by_server) == 3
        assert {*by_server} == wanted
        assert {one.router for one in findings if one.code == "invariants" and one.level == "ok"} == {
            *tenants
        }

    with_store(cluster, test)
