"""The worker's part in rules that others answer: woken at once, by its sweep at the latest; bursts."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from api.serving.runtime import worker_of
from engine.commands import JobCreate, JobRead, PolicyUpsert, QueueUpsert
from engine.pipelines import Pipeline, Rule, pipeline_text
from engine.remote import RemoteRule, remote_text
from engine.settings import Settings, Tenant
from engine.store import Store, root_of
from engine.worker import remote_rules
from tests import support
from tests.outgoing.endpoint import Endpoint, endpoint, hang_up, ok, run, silence, status
from tests.runtime.test_worker import PATIENCE_SECONDS, reached


@asynccontextmanager
async def asking(
    server: support.Server,
    tenant: str,
    *policies: Endpoint,
    notifications: bool = True,
    retries: int = 0,
    timeout_ms: int = 1_000,
) -> AsyncIterator[Store]:
    """A worker, and a policy p0, p1, … for each endpoint."""
    store = await Store.open(server.url)
    root = root_of(tenant)
    await store.run(root, PolicyUpsert("distribution", "d", expires_ms=60_000, mode="longestIdle"))
    await store.run(root, QueueUpsert(id="q", distribution="d"))
    for n, one in enumerate(policies):
        rule = Rule("function", remote_text(RemoteRule(one.url)))
        text = pipeline_text(Pipeline(rule))
        await store.run(root, PolicyUpsert("classification", f"p{n}", fallback="q", pipeline=text))
    settings = Settings(
        {tenant: Tenant(tenant)},
        server.url,
        notifications=notifications,
        allow_outgoing=support.LOOPBACK,
        rule_timeout_ms=timeout_ms,
        rule_retries=retries,
    )
    worker = worker_of(store, settings)
    task = asyncio.create_task(worker.run())
    try:
        await reached(lambda: worker.sweepers[tenant].sweeps > 0)
        if worker.alarms:
            await asyncio.wait_for(worker.alarms.listening.wait(), PATIENCE_SECONDS)
        yield store
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await store.close()


async def classified(store: Store, root: str, job_id: str) -> dict[str, str]:
    """A job as soon as it waits for no answer."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while (job := await store.run(root, JobRead(job_id)))["status"] == "pendingClassification":
            await asyncio.sleep(0.005)
    return job


def test_a_new_task_wakes_the_worker(
    server: support.Server, tenant: str, root: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(remote_rules, "SWEEP_SECONDS", 3600.0)

    async def work() -> None:
        async with endpoint(ok(9)) as function, asking(server, tenant, function) as store:
            for n in range(3):
                await store.run(root, JobCreate(f"j{n}", channel="voice", classification="p0"))
                job = await classified(store, root, f"j{n}")
                assert (job["status"], job["priority"]) == ("queued", "9")

    run(work())


def test_without_notifications_the_worker_looks(server: support.Server, tenant: str, root: str) -> None:
    async def work() -> None:
        async with (
            endpoint(ok(9)) as function,
            asking(server, tenant, function, notifications=False) as store,
        ):
            await store.run(root, JobCreate("j", channel="voice", classification="p0"))
            assert (await classified(store, root, "j"))["status"] == "queued"

    run(work())


@pytest.mark.parametrize(("retries", "asked"), [(0, 1), (2, 3)])
def test_retries_are_a_setting(
    server: support.Server, tenant: str, root: str, retries: int, asked: int
) -> None:
    async def work() -> None:
        async with (
            endpoint(hang_up, status(503)) as function,
            asking(server, tenant, function, retries=retries) as store,
        ):
            await store.run(root, JobCreate("j", channel="voice", classification="p0"))
            assert (await classified(store, root, "j"))["status"] == "classificationFailed"
            assert len(function.requests) == asked

    run(work())


def test_loopback_has_to_be_allowed(server: support.Server, tenant: str, root: str) -> None:
    async def work() -> None:
        async with endpoint(ok(9)) as function:
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(support, "LOOPBACK", ("10.0.0.0/8",))
                async with asking(server, tenant, function) as store:
                    await store.run(root, JobCreate("j", channel="voice", classification="p0"))
                    assert (await classified(store, root, "j"))["status"] == "classificationFailed"
            assert function.connections == 0

    run(work())


def test_a_burst_at_a_living_endpoint_is_answered_in_turn(
    server: support.Server, tenant: str, root: str
) -> None:
    """More than may stand in line; behind a dead endpoint with as many."""
    count = 1_300

    async def work() -> None:
        async with (
            endpoint(silence) as dead,
            endpoint(ok(9)) as living,
            # no answer of the living one may come too late, however busy the machine is
            asking(server, tenant, dead, living, timeout_ms=10_000) as store,
        ):
            for policy in ("p0", "p1"):
                jobs = [
                    JobCreate(f"{policy}-{n}", channel="voice", classification=policy) for n in range(count)
                ]
                await asyncio.gather(*(store.run(root, job) for job in jobs))
            async with asyncio.timeout(PATIENCE_SECONDS):
                for n in range(count):
                    assert (await classified(store, root, f"p1-{n}"))["status"] == "queued"
            assert len(living.requests) == count
            last = await store.run(root, JobRead(f"p0-{count - 1}"))
            assert last["status"] == "pendingClassification"

    run(work())
