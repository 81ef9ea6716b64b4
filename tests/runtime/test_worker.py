"""The worker: what is due is done in time, with and without notifications, through restarts of the store."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from api.serving.runtime import worker_of
from engine import unending
from engine.address import Address
from engine.clients import administration
from engine.commands import EventList, JobCreate, PolicyUpsert, QueueUpsert, WorkerRead, WorkerUpsert
from engine.deliveries.service import Deliveries
from engine.settings import Settings, Tenant
from engine.store import Store, root_of
from engine.worker import expiry
from engine.worker.alarms import missing_flags, request_notifications
from engine.worker.expiry import Sweeper
from engine.worker.remote_rules import RemoteRules
from engine.worker.service import Worker
from tests import support

PATIENCE_SECONDS = 10.0


async def reached(look: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not look():
            await asyncio.sleep(0.002)


@asynccontextmanager
async def working(
    server: support.Server, tenant: str, *, notifications: bool = True
) -> AsyncIterator[tuple[Store, Sweeper, Worker]]:
    store = await Store.open(server.url)
    settings = Settings({tenant: Tenant(tenant)}, server.url, notifications=notifications)
    worker = worker_of(store, settings)
    task = asyncio.create_task(worker.run())
    try:
        sweeper = worker.sweepers[tenant]
        await reached(lambda: sweeper.sweeps > 0)
        if worker.alarms:
            await asyncio.wait_for(worker.alarms.listening.wait(), PATIENCE_SECONDS)
        yield store, sweeper, worker
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await store.close()


async def offer(store: Store, root: str, expires_ms: int) -> None:
    await store.run(
        root, PolicyUpsert(kind="distribution", id="p", mode="longestIdle", expires_ms=expires_ms)
    )
    await store.run(root, QueueUpsert(id="q", distribution="p"))
    channels = '"voice"\t1\t'
    worker = WorkerUpsert(id="w", capacity=1, available=True, queues='"q"', channels=channels)
    await store.run(root, worker)
    await store.run(root, JobCreate(id="j", channel="voice", queue="q"))
    assert await offers(store, root)


async def signed_off(store: Store, root: str) -> None:
    """Waits until the worker has lost its registration, as it does when it lets an offer expire."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while (await store.run(root, WorkerRead(id="w")))["state"] != "inactive":
            await asyncio.sleep(0.002)


async def offers(store: Store, root: str) -> list[str]:
    return [name for name in await store.run(root, WorkerRead(id="w")) if name.startswith("o:")]


def run(work: Coroutine[Any, Any, None]) -> None:
    asyncio.run(work)


@pytest.fixture
def never_by_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only what wakes a sweeper makes it sweep."""
    monkeypatch.setattr(expiry, "SWEEP_SECONDS", 3600.0)


@pytest.fixture
def own_server(server_program: Path) -> Iterator[support.Server]:
    with support.server(server_program) as it:
        yield it


@pytest.mark.usefixtures("never_by_time")
def test_alarm_plans_a_sweep(server: support.Server, tenant: str, root: str) -> None:
    """The sweeper learns of an offer by `set`, and sweeps when it is due."""

    async def work() -> None:
        async with working(server, tenant) as (store, sweeper, _):
            before = sweeper.sweeps
            await offer(store, root, 300)
            await reached(lambda: sweeper.sweeps > before)
            await signed_off(store, root)

    run(work())


@pytest.mark.usefixtures("never_by_time")
def test_earlier_alarm_plans_anew(server: support.Server, tenant: str, root: str) -> None:
    async def work() -> None:
        async with working(server, tenant) as (store, sweeper, _):
            await offer(store, root, 3_600_000)
            before = sweeper.sweeps
            policy = PolicyUpsert(kind="distribution", id="p2", mode="longestIdle", expires_ms=200)
            await store.run(root, policy)
            await store.run(root, QueueUpsert(id="q2", distribution="p2"))
            worker = WorkerUpsert(id="w2", capacity=1, available=True, queues='"q2"', channels='"voice"\t1\t')
            await store.run(root, worker)
            await store.run(root, JobCreate(id="j2", channel="voice", queue="q2"))
            await reached(lambda: sweeper.sweeps > before)

    run(work())


@pytest.mark.usefixtures("never_by_time")
def test_expired_alarm_sweeps_at_once(server: support.Server, tenant: str, root: str) -> None:
    async def work() -> None:
        async with working(server, tenant) as (store, sweeper, _):
            before = sweeper.sweeps
            await store.ask(root, "SET", sweeper.alarm, "9999999999999", "PX", "1")
            await reached(lambda: sweeper.sweeps > before)

    run(work())


def test_without_notifications_offers_end_in_time(server: support.Server, tenant: str, root: str) -> None:
    async def work() -> None:
        async with working(server, tenant, notifications=False) as (store, _, worker):
            assert worker.alarms is None
            await offer(store, root, 300)
            started = time.monotonic()
            await signed_off(store, root)
            assert time.monotonic() - started < 0.3 + expiry.SWEEP_SECONDS + 0.5

    run(work())


def test_goes_on_after_a_restart_of_the_store(own_server: support.Server) -> None:
    async def work() -> None:
        async with working(own_server, "main") as (store, sweeper, worker):
            own_server.kill()
            assert worker.alarms
            listening = worker.alarms.listening
            await reached(lambda: not listening.is_set())
            own_server.start()
            before = sweeper.sweeps
            await reached(lambda: sweeper.sweeps > before)
            await asyncio.wait_for(listening.wait(), PATIENCE_SECONDS)
            await offer(store, root_of("main"), 100)
            await signed_off(store, root_of("main"))

    run(work())


def test_starts_before_the_store(server_program: Path, tmp_path: Path) -> None:
    async def work() -> None:
        own = support.Server(server_program, tmp_path)
        store = Store.at(own.url)
        worker = worker_of(store, Settings({"main": Tenant("main")}, own.url))
        task = asyncio.create_task(worker.run())
        try:
            own.start()
            await reached(lambda: worker.sweepers["main"].sweeps > 0)
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            await store.close()
            own.kill()

    run(work())


@pytest.mark.parametrize(
    ("kind", "count"), [(Sweeper, "sweeps"), (RemoteRules, "looks"), (Deliveries, "claims")]
)
def test_a_part_that_is_over_begins_anew(
    server: support.Server, tenant: str, monkeypatch: pytest.MonkeyPatch, kind: Any, count: str
) -> None:
    """The task group does not mind one that was cancelled: it would be over without a word."""
    monkeypatch.setattr(unending, "PAUSE_SECONDS", 0.001)
    real, parts = kind.run, list[Any]()

    async def odd(part: Any) -> None:
        parts.append(part)
        if len(parts) > 1:
            await real(part)
        inner = asyncio.create_task(real(part))
        await reached(lambda: getattr(part, count) > 0)
        inner.cancel()
        await inner

    monkeypatch.setattr(kind, "run", odd)

    async def work() -> None:
        async with working(server, tenant):
            await reached(lambda: len(parts) > 1)
            before = getattr(parts[0], count)
            await reached(lambda: getattr(parts[0], count) > before)

    run(work())


def test_two_workers_do_no_harm(server: support.Server, tenant: str, root: str) -> None:
    async def work() -> None:
        async with working(server, tenant) as (store, one, _), working(server, tenant) as (_, two, _):
            await offer(store, root, 200)
            await signed_off(store, root)
            before = one.sweeps, two.sweeps
            await reached(lambda: one.sweeps > before[0] and two.sweeps > before[1])
            events = (await store.run(root, EventList()))["rows"]
            ended = [kind for row in events for kind in row["events"][::2] if kind.endswith("Expired")]
            assert len(ended) == 1

    run(work())


@pytest.mark.parametrize(
    ("present", "missing"),
    [("", "K$x"), ("K$x", ""), ("KA", ""), ("AKE", ""), ("gxE", "K$"), ("A", "K")],
)
def test_missing_notifications(present: str, missing: str) -> None:
    assert missing_flags(present) == missing


def test_notifications_are_added_to_what_is_there(own_server: support.Server) -> None:
    async def work() -> None:
        async with administration(Address.parse(own_server.url)) as client:
            await client.config_set("notify-keyspace-events", "Eg")
            await request_notifications(client)
            flags = (await client.config_get("notify-keyspace-events"))["notify-keyspace-events"]
            assert set(flags or "") == set("EgK$x")

    run(work())
