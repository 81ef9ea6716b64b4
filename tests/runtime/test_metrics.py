"""Metrics of a router: each event is counted once, by one worker at a time, through their ends."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from engine import commands as c
from engine.errors import Refused, Unavailable
from engine.measured import MeasuredStore
from engine.metrics import Metrics
from engine.servers import Servers
from engine.store import Store, root_of
from engine.worker import observer
from engine.worker.expiry import Sweeper
from engine.worker.observer import Observer
from tests import support
from tests.runtime.processes import jobrouter, serving
from tests.runtime.scraping import samples, scraped

PATIENCE_SECONDS = 10.0

OpenStore = Callable[[], AbstractAsyncContextManager[Store]]


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(observer, "LOOK_SECONDS", 0.01)
    monkeypatch.setattr(observer, "LOAD_SECONDS", 0.05)


@asynccontextmanager
async def observing(store: Store, tenant: str) -> AsyncIterator[Metrics]:
    metrics = Metrics()
    task = asyncio.create_task(Observer(store, tenant, metrics).run())
    try:
        yield metrics
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def reached(look: Callable[[], object]) -> None:
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not look():
            await asyncio.sleep(0.002)


async def build(store: Store, root: str) -> None:
    await store.run(root, c.PolicyUpsert(kind="distribution", id="p", mode="longestIdle", expires_ms=60_000))
    await store.run(root, c.QueueUpsert(id="q", distribution="p"))
    worker = c.WorkerUpsert(id="w", capacity=100, available=True, queues='"q"', channels='"voice"\t1\t')
    await store.run(root, worker)


async def life(store: Store, root: str, job: str) -> None:
    """A job from its creation to its end."""
    await store.run(root, c.JobCreate(id=job, channel="voice", queue="q"))
    worker = await store.run(root, c.WorkerRead(id="w"))
    offer = next(name for name, text in worker.items() if name.startswith("o:") and str(text).endswith(job))
    done = await store.run(root, c.OfferAccept("w", offer.removeprefix("o:")))
    await store.run(root, c.AssignmentComplete(job, done["assignment"]))
    await store.run(root, c.AssignmentClose(job, done["assignment"]))


def of(metrics: Metrics, name: str, **labels: str) -> float:
    return metrics.registry.get_sample_value(name, labels) or 0.0


def closed(metrics: Metrics, tenant: str) -> float:
    return of(metrics, "jobrouter_events_total", tenant=tenant, type="RouterJobClosed")


def test_lives_are_measured(open_store: OpenStore, tenant: str, root: str) -> None:
    async def work() -> None:
        async with open_store() as store, observing(store, tenant) as metrics:
            await reached(lambda: of(metrics, "jobrouter_observing", tenant=tenant))
            await build(store, root)
            for n in range(3):
                await life(store, root, f"j{n}")
            await reached(lambda: closed(metrics, tenant) == 3)
            place = {"tenant": tenant, "queue": "q", "channel": "voice"}
            for figure in ("job_time_to_offer", "job_wait", "offer_to_accept", "job_handling"):
                assert of(metrics, f"jobrouter_{figure}_seconds_count", **place) == 3, figure
            await store.run(root, c.JobCreate(id="late", channel="chat", queue="q"))
            chat = {**place, "channel": "chat"}
            await reached(lambda: of(metrics, "jobrouter_queue_waiting_jobs", **chat))
            assert of(metrics, "jobrouter_queue_ready_workers", **place) == 1
            oldest = "jobrouter_queue_oldest_wait_seconds"
            await reached(lambda: of(metrics, oldest, tenant=tenant, queue="q") > 0)

    asyncio.run(work())


def test_two_observers_count_everything_once(open_store: OpenStore, tenant: str, root: str) -> None:
    async def work() -> None:
        async with open_store() as store:
            async with observing(store, tenant) as one:
                await reached(lambda: of(one, "jobrouter_observing", tenant=tenant))
                await build(store, root)
                async with observing(store, tenant) as two:
                    await life(store, root, "a")
                    await reached(lambda: closed(one, tenant) == 1)
                    assert closed(two, tenant) == 0
                    assert of(two, "jobrouter_observing", tenant=tenant) == 0
            # the first has given up its place: a third goes on where it was, and knows what is under way
            await store.run(root, c.JobCreate(id="b", channel="voice", queue="q"))
            async with observing(store, tenant) as three:
                await reached(lambda: of(three, "jobrouter_observing", tenant=tenant))
                await life(store, root, "c")
                await reached(lambda: closed(three, tenant) == 1)
                total = of(one, "jobrouter_events_total", tenant=tenant, type="RouterJobReceived") + of(
                    three, "jobrouter_events_total", tenant=tenant, type="RouterJobReceived"
                )
                assert total == 3

    asyncio.run(work())


def test_the_next_observer_knows_what_is_under_way(open_store: OpenStore, tenant: str, root: str) -> None:
    async def work() -> None:
        async with open_store() as store:
            async with observing(store, tenant) as one:
                await build(store, root)
                await store.run(root, c.JobCreate(id="a", channel="voice", queue="q"))
                await reached(
                    lambda: of(one, "jobrouter_events_total", tenant=tenant, type="RouterJobQueued") == 1
                )
            async with observing(store, tenant) as two:
                offer = next(n for n in await store.run(root, c.WorkerRead(id="w")) if n.startswith("o:"))
                await store.run(root, c.OfferAccept("w", offer.removeprefix("o:")))
                place = {"tenant": tenant, "queue": "q", "channel": "voice"}
                await reached(lambda: of(two, "jobrouter_job_wait_seconds_count", **place) == 1)
                assert of(two, "jobrouter_offer_to_accept_seconds_count", **place) == 1
                assert of(two, "jobrouter_events_total", tenant=tenant, type="RouterJobQueued") == 0

    asyncio.run(work())


def test_a_lost_lease_counts_nothing_twice(open_store: OpenStore, tenant: str, root: str) -> None:
    """Another has counted what this one was about to count."""

    async def work() -> None:
        async with open_store() as store:
            metrics = Metrics()
            one = Observer(store, tenant, metrics)
            await one._look()
            await build(store, root)
            last = (await store.run(root, c.EventList(limit=1)))["last"]
            await store.run(root, c.ObserverLease(one._holder, 0))
            await store.run(root, c.ObserverLease("another", 0))
            await store.run(root, c.ObserverLease("another", 0, last))
            await one._look()
            assert of(metrics, "jobrouter_events_total", tenant=tenant, type="RouterWorkerRegistered") == 0
            await life(store, root, "a")
            await one._look()
            assert closed(metrics, tenant) == 1

    asyncio.run(work())


def test_events_that_are_gone_leave_a_gap(open_store: OpenStore, tenant: str, root: str) -> None:
    async def work() -> None:
        async with open_store() as store:
            metrics = Metrics()
            one = Observer(store, tenant, metrics)
            await one._look()
            await build(store, root)
            await life(store, root, "a")
            await store.ask(root, "XTRIM", f"{root}:events", "MAXLEN", "=", "1")
            await one._look()
            assert of(metrics, "jobrouter_outbox_gaps_total", tenant=tenant) == 1
            assert closed(metrics, tenant) == 1

    asyncio.run(work())


def test_a_long_queue_is_shared_out(
    open_store: OpenStore, tenant: str, root: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a queue that is longer than what is counted, the sum is exact all the same."""
    monkeypatch.setattr(observer, "JOBS", 250)

    async def work() -> None:
        async with open_store() as store:
            await store.run(
                root, c.PolicyUpsert(kind="distribution", id="p", mode="longestIdle", expires_ms=1)
            )
            await store.run(root, c.QueueUpsert(id="q", distribution="p"))
            for n in range(301):
                channel = "chat" if n % 5 else "voice"
                await store.run(root, c.JobCreate(id=f"j{n}", channel=channel, queue="q"))
            metrics = Metrics()
            await Observer(store, tenant, metrics)._look()
            found = {
                channel: of(
                    metrics, "jobrouter_queue_waiting_jobs", tenant=tenant, queue="q", channel=channel
                )
                for channel in ("chat", "voice")
            }
            assert found == {"chat": 241, "voice": 60}

    asyncio.run(work())


def test_calls_are_measured(server: support.Server, tenant: str, root: str) -> None:
    async def work() -> None:
        metrics = Metrics()
        store = MeasuredStore(Servers.of(server.url), metrics)
        await store.run(root, c.RouterStatus())
        with pytest.raises(Refused):
            await store.run(root, c.JobRead("nobody"))
        await store.close()
        name = "jobrouter_store_call_duration_seconds_count"
        assert of(metrics, name, operation="jr_router_status", outcome="ok") == 1
        assert of(metrics, name, operation="jr_job_read", outcome="refused") == 1

    asyncio.run(work())


def test_calls_that_fail_or_are_given_up(server: support.Server, root: str) -> None:
    async def work() -> None:
        metrics = Metrics()
        name = "jobrouter_store_call_duration_seconds_count"
        nowhere = MeasuredStore(Servers.of("unix:///nowhere"), metrics)
        with pytest.raises(Unavailable):
            await nowhere.run(root, c.RouterStatus())
        assert of(metrics, name, operation="jr_router_status", outcome="unavailable") == 1
        store = MeasuredStore(Servers.of(server.url), metrics)
        task = asyncio.create_task(store.run(root, c.RouterStatus()))
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        assert of(metrics, name, operation="jr_router_status", outcome="abandoned") == 1
        await store.close()
        await nowhere.close()

    asyncio.run(work())


class _Failing:
    """A store that cannot be reached for a while."""

    def __init__(self, store: Store, failures: int) -> None:
        self.servers = store.servers
        self.failures = failures
        self._store = store

    async def run(self, root: str, command: c.Command) -> Any:
        if self.failures:
            self.failures -= 1
            raise Unavailable("nobody is there")
        return await self._store.run(root, command)

    async def ask(self, *words: Any) -> Any:
        return await self._store.ask(*words)


def test_an_observer_outlives_failures(
    open_store: OpenStore, tenant: str, root: str, caplog: pytest.LogCaptureFixture
) -> None:
    async def work() -> None:
        async with open_store() as store:
            failing = _Failing(store, failures=5)
            async with observing(failing, tenant) as metrics:  # type: ignore[arg-type]
                await reached(lambda: of(metrics, "jobrouter_observing", tenant=tenant))
                await build(store, root)
                await life(store, root, "a")
                await reached(lambda: closed(metrics, tenant) == 1)
                # it ends though its lease cannot be given up
                failing.failures = 1_000

    asyncio.run(work())
    assert [one.message for one in caplog.records if "measur" in one.message] == [
        f"{tenant}: cannot measure, trying on: nobody is there",
        f"{tenant}: measuring again",
    ]


def test_a_queue_that_goes_away_meanwhile(open_store: OpenStore, tenant: str, root: str) -> None:
    async def work() -> None:
        async with open_store() as store:
            await build(store, root)
            await store.run(root, c.JobCreate(id="a", channel="voice", queue="q"))
            await store.ask(root, "ZADD", f"{root}:queues", "999", "gone")
            metrics = Metrics()
            await Observer(store, tenant, metrics)._look()
            place = {"tenant": tenant, "queue": "q", "channel": "voice"}
            assert of(metrics, "jobrouter_queue_waiting_jobs", **place) == 1
            assert "gone" not in str(metrics.loads)

    asyncio.run(work())


def test_lateness_of_the_agenda_is_measured(open_store: OpenStore, tenant: str, root: str) -> None:
    async def work() -> None:
        async with open_store() as store:
            await build(store, root)
            late: list[tuple[str, float]] = []
            sweeper = Sweeper(store, tenant, lambda *told: late.append(told))
            await sweeper._sweep()
            assert late == []
            await store.run(root, c.JobCreate(id="a", channel="voice", queue="q"))
            await sweeper._look()
            due = sweeper._due_ms
            assert due > 0
            # a row that was due a minute ago, as if nobody had been there
            await store.ask(root, "ZADD", f"{root}:agenda", str(due - 120_000), "idle:w")
            sweeper._due_ms = due - 120_000
            await store.ask(root, "HSET", root, "state", await _early(store, root))
            await sweeper._sweep()
            assert [told[0] for told in late] == [tenant]
            assert 50 < late[0][1] < 70

    async def _early(store: Store, root: str) -> str:
        """The state of a router whose alarm is due."""
        state = str(await store.ask(root, "HGET", root, "state"))
        words = [f"alarm={1}" if word.startswith("alarm=") else word for word in state.split(" ")]
        return " ".join(words)

    asyncio.run(work())


# ---- guard -------------------------------------------------------------------------------------------------


def test_too_many_labels_share_one_series() -> None:
    metrics = Metrics(labels=2)
    for queue in ("a", "b", "c", "d", "a"):
        metrics.span("wait", "main", queue, "voice", 1.0)
    name = "jobrouter_job_wait_seconds_count"
    assert of(metrics, name, tenant="main", queue="a", channel="voice") == 2
    assert of(metrics, name, tenant="main", queue="b", channel="voice") == 1
    assert of(metrics, name, tenant="main", queue="other", channel="other") == 2
    assert of(metrics, "jobrouter_folded_samples_total", label="channel") == 2


def test_gauges_of_too_many_queues_are_added_up() -> None:
    metrics = Metrics(labels=1)
    metrics.load("main", {q: {"voice": (2, 1)} for q in "abc"}, {"a": 1.0, "b": 5.0, "c": 3.0}, 0.0)
    other = {"tenant": "main", "queue": "other", "channel": "other"}
    assert of(metrics, "jobrouter_queue_waiting_jobs", **other) == 4
    assert of(metrics, "jobrouter_queue_ready_workers", **other) == 2
    assert of(metrics, "jobrouter_queue_oldest_wait_seconds", tenant="main", queue="other") == 5.0


def test_series_of_a_deleted_queue_end() -> None:
    metrics = Metrics(labels=1)
    metrics.span("wait", "main", "a", "voice", 1.0)
    metrics.load("main", {"a": {"voice": (2, 1)}}, {"a": 1.0}, 0.0)
    metrics.load("main", {"b": {"voice": (1, 0)}}, {"b": 1.0}, 0.0)
    metrics.span("wait", "main", "b", "voice", 1.0)
    name = "jobrouter_job_wait_seconds_count"
    assert (
        metrics.registry.get_sample_value(name, {"tenant": "main", "queue": "a", "channel": "voice"}) is None
    )
    assert of(metrics, name, tenant="main", queue="b", channel="voice") == 1
    assert of(metrics, "jobrouter_queue_waiting_jobs", tenant="main", queue="b", channel="voice") == 1


# ---- the commands ------------------------------------------------------------------------------------------


def test_serve_shows_its_metrics(tmp_path: Path) -> None:
    with serving(tmp_path) as it:
        address = it.wait_for(r"metrics: (http://\S+/metrics)")[1]
        assert str(it.port) in address
        support.eventually(lambda: samples(it.port).get('jobrouter_observing{tenant="main"}') == 1.0)
        status, text = scraped(it.port)
        assert status == 200
        assert 'jobrouter_http_request_duration_seconds_count{method="GET",route="/health/ready"' in text
        assert (
            'jobrouter_store_call_duration_seconds_count{operation="jr_router_status",outcome="ok"}' in text
        )
        assert scraped(it.port, Host="evil.example")[0] == 401
        key = it.wait_for("viewing key: (.+)$")[1]
        assert scraped(it.port, Host="evil.example", Authorization=f"Bearer {key}")[0] == 200
        assert it.end() == 0


def test_worker_alone_shows_its_metrics(server: support.Server, tenant: str) -> None:
    options = ("--redis-url", server.url, "--tenants", tenant, "--metrics-port", "0")
    with jobrouter("worker", *options, "--view-keys", f"{tenant}=0123456789abcdef") as it:
        port = int(it.wait_for(r"metrics: http://localhost:(\d+)/metrics")[1])
        support.eventually(lambda: samples(port).get(f'jobrouter_observing{{tenant="{tenant}"}}') == 1.0)
        assert scraped(port, Host="evil.example")[0] == 401
        assert scraped(port, Host="evil.example", Authorization="Bearer 0123456789abcdef")[0] == 200
        assert it.end() == 0


def test_worker_without_a_port_measures_nothing(
    server: support.Server, store: support.SyncStore, tenant: str
) -> None:
    with jobrouter("worker", "--redis-url", server.url, "--tenants", tenant) as it:
        it.wait_for("^working")
        root = root_of(tenant)
        support.eventually(lambda: store.run(root, c.RouterStatus())["swept_at"])
        assert not store.redis.exists(f"{root}:observer")
        assert it.end() == 0
