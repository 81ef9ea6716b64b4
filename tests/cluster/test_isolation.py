"""When a primary and its replica are gone, routers elsewhere go on as if nothing were."""

from __future__ import annotations

import asyncio

from api.serving.runtime import worker_of
from engine.commands import JobCreate
from engine.diagnosis import diagnose
from engine.health import Health
from engine.settings import Settings, Tenant
from engine.store import Store, root_of
from engine.worker.preparation import Preparation
from tests import support
from tests.cluster.test_routing import set_up
from tests.nodes import Cluster


def test_others_go_on(cluster: Cluster, tenants: list[str]) -> None:
    """Also for processes that start now: they wait for nobody but the router that they work for."""
    lost, *others = tenants
    primary = cluster.primary_of(root_of(lost))
    for node in (primary, *cluster.replicas_of(primary)):
        node.kill()
    for node in cluster.nodes:
        if node.runs:
            node.do("CONFIG", "SET", "cluster-require-full-coverage", "no")

    async def work() -> None:
        async with asyncio.timeout(4 * support.PATIENCE_SECONDS):
            store = await Store.open(cluster.url)
            settings = Settings({tenant: Tenant(tenant) for tenant in tenants}, keep_events_count=77)
            worker = worker_of(store, settings, ready=Preparation(store, settings))
            working = asyncio.create_task(worker.run())
            for tenant in others:
                while not worker.sweepers[tenant].sweeps:
                    await asyncio.sleep(0.01)
                root = await set_up(store, tenant)
                await store.run(root, JobCreate(id="j", queue="q", channel="voice"))
            assert worker.sweepers[lost].sweeps == 0
            health = Health(store, tenants)
            ready, found = await health()
            assert ready
            assert [
                text for text in found["warnings"] if text.startswith(f"{lost}: the store is unreachable")
            ]
            assert found["settings"][others[0]]["keep_events_count"] == 77
            findings = [one async for one in diagnose(cluster.url, tenants, whole=True)]
            told = {one.router for one in findings if one.code == "unreachable"}
            assert told == {"", lost}
            assert {one.router for one in findings if one.code == "invariants"} == {*others}
            # with nobody left it is not ready
            alone = Health(store, [lost])
            ready, found = await alone()
            assert not ready
            assert found["reasons"]
            for one in (health, alone):
                await one.close()
            working.cancel()
            await asyncio.gather(working, return_exceptions=True)
            await store.close()

    try:
        asyncio.run(work())
    finally:
        cluster.mend()
        for node in cluster.nodes:
            node.do("CONFIG", "SET", "cluster-require-full-coverage", "yes")
