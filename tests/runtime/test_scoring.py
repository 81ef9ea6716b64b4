"""The worker's part in scoring by others: what is asked, in which portions, what is made of bad answers."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from api.serving.runtime import worker_of
from engine.commands import (
    AssignmentClose,
    AssignmentComplete,
    Check,
    EventList,
    JobCreate,
    OfferAccept,
    PolicyUpsert,
    QueueStatistics,
    QueueUpsert,
    SettingsWrite,
    WorkerRead,
    WorkerUpsert,
)
from engine.model import Selector, WorkerRecord, members_text, selectors_text
from engine.remote import RemoteRule, remote_text
from engine.scoring import Function, scoring_text
from engine.settings import Settings, Tenant
from engine.store import Store, root_of
from engine.worker import rankings
from tests import support
from tests.outgoing.endpoint import Endpoint, Reply, Request, endpoint, ok, run, silence, status
from tests.runtime.test_worker import PATIENCE_SECONDS, reached

LABELS = {"skill": 5, "site": "x"}


class Router:
    """A router whose queue ``q`` lets an endpoint score; its workers w0, w1, … have their number as label."""

    def __init__(self, store: Store, root: str, settings: Settings) -> None:
        self.store = store
        self.root = root
        self.settings = settings
        self.workers = 0

    async def job(self, job_id: str = "j", **given: Any) -> None:
        await self.store.run(self.root, JobCreate(job_id, queue="q", channel="voice", **given))

    async def taker(self, job_id: str = "j") -> str:
        """The worker that is offered the job, as soon as there is one."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            while True:
                for n in range(self.workers):
                    worker = WorkerRecord.parse(await self.store.run(self.root, WorkerRead(f"w{n}")))
                    if any(offer.job == job_id for offer in worker.offers):
                        return worker.id
                await asyncio.sleep(0.005)

    async def staff(self, count: int) -> None:
        for n in range(self.workers, self.workers + count):
            shape = {"queues": '"q"', "channels": '"voice"\t1\t', "labels": members_text({"n": n})}
            worker = WorkerUpsert(f"w{n}", capacity=1, available=True, **shape)  # type: ignore[arg-type]
            await self.store.run(self.root, worker)
        self.workers += count


@asynccontextmanager
async def scoring(
    server: support.Server,
    tenant: str,
    function: Endpoint,
    *,
    workers: int,
    batch: int = 0,
    descending: bool = True,
    timeout_ms: int = 1_000,
    **told: bool,
) -> AsyncIterator[Router]:
    """A router with a worker process's work in this loop."""
    store = await Store.open(server.url)
    root = root_of(tenant)
    rule = Function(remote_text(RemoteRule(function.url + "/secret-path")), batch=batch, **told)
    rules = scoring_text(rule)
    policy = PolicyUpsert(
        "distribution", "d", expires_ms=60_000, mode="bestWorker", rules=rules, descending=descending
    )
    await store.run(root, policy)
    await store.run(root, QueueUpsert(id="q", distribution="d"))
    settings = Settings(
        {tenant: Tenant(tenant)},
        server.url,
        allow_outgoing=support.LOOPBACK,
        rule_timeout_ms=timeout_ms,
        rule_retries=0,
    )
    router = Router(store, root, settings)
    await router.staff(workers)
    worker = worker_of(store, settings)
    task = asyncio.create_task(worker.run())
    try:
        await reached(lambda: worker.sweepers[tenant].sweeps > 0)
        yield router
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await store.close()


def bodies(function: Endpoint) -> list[Any]:
    return [json.loads(request.body) for request in function.requests]


def by_number(request: Request) -> bytes:
    """The score of a worker is its label n; of several, by their ids."""
    body = json.loads(request.body)
    if "worker" in body:
        return ok(body["worker"]["n"])
    return ok({worker["Id"]: worker["n"] for worker in body["workers"]})


def test_each_worker_is_scored(server: support.Server, tenant: str, root: str) -> None:
    async def work() -> None:
        async with endpoint(by=by_number) as function, scoring(server, tenant, function, workers=3) as router:
            wanted = selectors_text([Selector("n", ">=", "0", "60.5")])
            await router.job(labels=members_text(LABELS), selectors=wanted)
            assert await router.taker() == "w2"
            selectors = [
                {"key": "n", "operator": "GreaterThanEqual", "value": 0, "expiresAfterSeconds": 60.5}
            ]
            assert sorted(bodies(function), key=lambda body: str(body["worker"]["Id"])) == [
                {"job": LABELS, "selectors": selectors, "worker": {"n": n, "Id": f"w{n}"}} for n in range(3)
            ]

    run(work())


def test_several_workers_are_scored_at_a_time(server: support.Server, tenant: str, root: str) -> None:
    async def work() -> None:
        async with (
            endpoint(by=by_number) as function,
            scoring(server, tenant, function, workers=5, batch=2, descending=False) as router,
        ):
            await router.job()
            assert await router.taker() == "w0"
            sizes = sorted(len(body["workers"]) for body in bodies(function))
            assert sizes == [1, 2, 2]
            told = {worker["Id"] for body in bodies(function) for worker in body["workers"]}
            assert told == {f"w{n}" for n in range(5)}
            assert all(body["job"] == {} and body["selectors"] == [] for body in bodies(function))

    run(work())


@pytest.mark.parametrize("told", [{"job": False}, {"selectors": False}, {"job": False, "selectors": False}])
def test_only_what_the_scoring_parameters_name_is_told(
    server: support.Server, tenant: str, root: str, told: dict[str, bool]
) -> None:
    async def work() -> None:
        async with (
            endpoint(by=by_number) as function,
            scoring(server, tenant, function, workers=2, **told) as router,
        ):
            await router.job()
            assert await router.taker() == "w1"
            hidden = {name for name, shown in told.items() if not shown}
            assert all(set(body) == {"job", "selectors", "worker"} - hidden for body in bodies(function))

    run(work())


def test_all_of_many_workers_are_scored(server: support.Server, tenant: str, root: str) -> None:
    """More than are told in one call, and than a ranking names."""

    async def work() -> None:
        async with (
            endpoint(by=by_number) as function,
            scoring(server, tenant, function, workers=230, batch=50) as router,
        ):
            await router.job()
            assert await router.taker() == "w229"
            assert sum(len(body["workers"]) for body in bodies(function)) == 230

    run(work())


def test_nobody_is_asked_about_one_worker(server: support.Server, tenant: str, root: str) -> None:
    async def work() -> None:
        async with endpoint(by=by_number) as function, scoring(server, tenant, function, workers=1) as router:
            await router.job()
            assert await router.taker() == "w0"
            assert function.requests == []

    run(work())


BAD: list[tuple[Reply, str]] = [
    (status(500), "the function answers with status 500"),
    (ok("x"), "the function gives no number"),
    (ok(True), "the function gives no number"),
    (ok(None), "the function gives no number"),
    (ok(b"1e999"), ""),
    (ok({"w0": 1}), "the function gives no number"),
    (ok(b"no json"), "is not"),
    (ok(b"1" * 300_000), "longer than"),
    (silence, "no answer within"),
]


@pytest.mark.parametrize(("bad", "reason"), BAD)
def test_a_worker_whose_score_fails_comes_last(
    server: support.Server,
    tenant: str,
    root: str,
    bad: Reply,
    reason: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """In ascending order too; the failure is told in one line, without what may be secret."""

    async def work() -> None:
        def answer(request: Request) -> Reply:
            return bad if json.loads(request.body)["worker"]["n"] < 2 else ok(7)

        async with (
            endpoint(by=answer) as function,
            scoring(server, tenant, function, workers=3, descending=False, timeout_ms=300) as router,
        ):
            await router.job()
            assert await router.taker() == "w2"
            await router.job("next")
            # of those without a score the longest available
            assert await router.taker("next") == "w0"

    with caplog.at_level("WARNING", "jobrouter"):
        run(work())
    lines = [record.getMessage() for record in caplog.records]
    assert [line.split(": ")[:3] for line in lines] == [
        [tenant, "score:j", "2 of 3 workers have no score"],
        [tenant, "score:next", "2 of 2 workers have no score"],
    ]
    assert all(reason in line and "secret-path" not in line for line in lines)


def test_a_batch_that_lacks_some(
    server: support.Server, tenant: str, root: str, caplog: pytest.LogCaptureFixture
) -> None:
    async def work() -> None:
        async with (
            endpoint(by=lambda _: ok({"w1": 3, "w2": "x", "stranger": 9})) as function,
            scoring(server, tenant, function, workers=3, batch=20) as router,
        ):
            await router.job()
            assert await router.taker() == "w1"

    with caplog.at_level("WARNING", "jobrouter"):
        run(work())
    assert [record.getMessage() for record in caplog.records] == [
        f"{tenant}: score:j: 2 of 3 workers have no score: the function gives no number for some workers"
    ]


def test_an_endpoint_that_must_not_be_called(
    server: support.Server, tenant: str, root: str, caplog: pytest.LogCaptureFixture
) -> None:
    async def work() -> None:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(support, "LOOPBACK", ("10.0.0.0/8",))
            async with (
                endpoint(by=by_number) as function,
                scoring(server, tenant, function, workers=2) as router,
            ):
                await router.job()
                assert await router.taker() == "w0"
                assert function.connections == 0

    with caplog.at_level("WARNING", "jobrouter"):
        run(work())
    (line,) = [record.getMessage() for record in caplog.records]
    assert "an address that is not allowed" in line


def test_what_is_not_scored_in_time_has_no_score(
    server: support.Server,
    tenant: str,
    root: str,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The first score comes, the next requests wait behind it."""
    monkeypatch.setattr(rankings, "_AT_ONCE", 1)

    async def work() -> None:
        def answer(request: Request) -> Reply:
            return ok(1) if len(function.requests) == 1 else silence

        async with (
            endpoint(by=answer) as function,
            scoring(server, tenant, function, workers=30, timeout_ms=100) as router,
        ):
            patch_total(monkeypatch, 0.3)
            await router.job()
            first = json.loads((await requested(function)).body)["worker"]["Id"]
            assert await router.taker() == first
            assert len(function.requests) < 30

    with caplog.at_level("WARNING", "jobrouter"):
        run(work())
    (line,) = [record.getMessage() for record in caplog.records]
    assert "29 of 30 workers have no score" in line


def patch_total(monkeypatch: pytest.MonkeyPatch, seconds: float) -> None:
    """Scoring has so much time from here on."""
    made = rankings._Asking.__init__

    def init(self: Any, caller: Any, row: Any) -> None:
        made(self, caller, row)
        self._until = asyncio.get_running_loop().time() + seconds

    monkeypatch.setattr(rankings._Asking, "__init__", init)


async def requested(function: Endpoint) -> Request:
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not function.requests:
            await asyncio.sleep(0.005)
    return function.requests[0]


def test_many_jobs_are_served_through_a_queue_that_closes(
    server: support.Server, tenant: str, root: str
) -> None:
    """Two workers score, few questions may be open; in the end each job was served once, all is sound."""
    jobs, workers = [f"j{n}" for n in range(60)], [f"w{n}" for n in range(6)]

    async def serve(router: Router) -> None:
        run = router.store.run
        for worker_id in workers:
            worker = WorkerRecord.parse(await run(root, WorkerRead(worker_id)))
            for offer in worker.offers:
                assignment = (await run(root, OfferAccept(worker_id, offer.id)))["assignment"]
                await run(root, AssignmentComplete(offer.job, assignment))
                await run(root, AssignmentClose(offer.job, assignment))

    async def work() -> None:
        async with (
            endpoint(by=by_number) as function,
            scoring(server, tenant, function, workers=len(workers), batch=4) as router,
        ):
            another = worker_of(router.store, router.settings)
            task = asyncio.create_task(another.run())
            await router.store.run(root, SettingsWrite(questions=3))
            await asyncio.gather(*(router.job(job_id) for job_id in jobs))
            async with asyncio.timeout(4 * PATIENCE_SECONDS):
                while int((await router.store.run(root, QueueStatistics("q")))["length"]):
                    await serve(router)
            ids = [f"job:{job_id}" for job_id in jobs] + [f"worker:{worker_id}" for worker_id in workers]
            assert (await router.store.run(root, Check([*ids, "queue:q"])))["problems"] == []
            listed = await router.store.run(root, EventList(0, 1_000))
            told = [kind for row in listed["rows"] for kind in row["events"][::2]]
            assert told.count("RouterJobClosed") == told.count("RouterWorkerOfferIssued") == len(jobs)
            assert function.requests
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    run(work())
