"""A whole router whose API, worker and onlookers are users of their own: nothing is refused to them."""

from __future__ import annotations

import contextlib
from base64 import b64encode
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from azure.communication.jobrouter import JobRouterAdministrationClient, JobRouterClient
from azure.communication.jobrouter import models as m
from azure.core.credentials import AzureKeyCredential

from api.cli import main
from engine.commands import RouterStatus
from engine.library import library
from engine.store import root_of
from tests import support
from tests.deploy.guarded import PASSWORDS, denied, guarded, kind_of_program
from tests.events.sse import Stream
from tests.nodes import free_ports
from tests.outgoing.endpoint import endpoint, run
from tests.runtime.processes import Process, jobrouter
from tests.runtime.scraping import samples
from tests.runtime.test_webhooks import Receiver, live, queue_up, subscribe
from tests.signed import Caller
from tests.support import eventually

KEY = b64encode(support.KEY).decode()


class Site:
    """The address of the store for each user, and the processes."""

    def __init__(self, server: support.Server, port: int) -> None:
        self.server = server
        self.port = port
        self.api: Process
        self.worker: Process

    def url(self, user: str) -> str:
        # as in production: over TCP clients say more than over a socket
        return f"redis://{user}:{PASSWORDS[user]}@127.0.0.1:{self.port}"

    def swept(self) -> bool:
        """Has the worker begun?"""
        with self.server.client() as client:
            return bool(int(support.SyncStore(client).run(root_of("main"), RouterStatus())["swept_at"]))

    def denied(self) -> list[str]:
        with self.server.client() as client:
            return denied(client)


@pytest.fixture(scope="module")
def site(server_program: Path) -> Iterator[Site]:
    (port,) = free_ports(1)
    outgoing = ("--allow-outgoing", "127.0.0.0/8", "--metrics-port", "0", "--keep-events", "8d")
    options = {"port": str(port), "save": "900 1"}
    with contextlib.ExitStack() as stack:
        server = stack.enter_context(guarded(server_program, kind_of_program(server_program), **options))
        it = Site(server, port)
        it.worker = stack.enter_context(
            jobrouter("worker", "--redis-url", it.url("worker"), "--tenants", "main", *outgoing)
        )
        keys = f"main={KEY}"
        it.api = stack.enter_context(
            jobrouter("api", "--redis-url", it.url("api"), "--port", "0", JOBROUTER_ACCESS_KEYS=keys)
        )
        it.worker.wait_for("^working")
        it.api.wait_for("^ready")
        eventually(it.api.ready)
        eventually(it.swept, "a sweep")
        yield it


@pytest.fixture
def call(site: Site) -> Iterator[Caller]:
    with closing(Caller(f"http://127.0.0.1:{site.api.port}", KEY)) as it:
        yield it


def test_health_is_well(site: Site) -> None:
    """The worker has loaded the library, written the settings, and listens."""
    status, report = site.api.get("/health/ready")
    assert (status, report["warnings"]) == (200, [])
    eventually(
        lambda: site.api.get("/health/ready")[1]["settings"]["main"]["keep_events_ms"] == 8 * 86_400_000
    )
    assert site.denied() == []


def test_jobs_live_and_offers_expire(site: Site) -> None:
    address = f"http://127.0.0.1:{site.api.port}"
    credential = AzureKeyCredential(KEY)
    with (
        JobRouterAdministrationClient(address, credential) as admin,
        JobRouterClient(address, credential) as router,
        Stream(address, KEY) as stream,
    ):
        policy = m.DistributionPolicy(offer_expires_after_seconds=1, mode=m.LongestIdleMode())
        admin.upsert_distribution_policy("fair", policy)
        admin.upsert_queue("sales", m.RouterQueue(distribution_policy_id="fair"))
        for name in ("anna", "bob"):
            channels = [m.RouterChannel(channel_id="voice", capacity_cost_per_job=1)]
            worker = m.RouterWorker(
                capacity=1, queues=["sales"], channels=channels, available_for_offers=True
            )
            router.upsert_worker(name, worker)
        router.upsert_job("call-1", m.RouterJob(channel_id="voice", queue_id="sales", priority=5))
        offer = (router.get_worker("anna").offers or [])[0]
        accepted = router.accept_job_offer("anna", offer.offer_id)
        router.complete_job("call-1", accepted.assignment_id)
        router.close_job("call-1", accepted.assignment_id)
        router.upsert_job("call-2", m.RouterJob(channel_id="voice", queue_id="sales"))
        offer = (router.get_worker("bob").offers or [])[0]
        router.decline_job_offer("bob", offer.offer_id)
        kinds: list[str] = []
        while "RouterWorkerOfferExpired" not in kinds:
            kinds += [event.type for event in stream.take(1)]
        assert kinds.count("RouterWorkerOfferIssued") == 3
        router.cancel_job("call-2")
        assert [job.id for job in router.list_jobs(status="cancelled")] == ["call-2"]
    assert site.denied() == []


@pytest.mark.usefixtures("jobs")
def test_onlookers(site: Site, capsys: pytest.CaptureFixture[str]) -> None:
    """The commands that only look, as user reader."""
    where = ("--redis-url", site.url("reader"), "--tenants", "main")
    assert main(["check", *where]) == 0
    assert main(["doctor", "--whole", *where]) == 0, capsys.readouterr()
    assert main(["top", "--once", *where]) == 0
    assert main(["why", "seen", *where]) == 0
    assert main(["history", "job", "seen", *where]) == 0
    assert main(["subscriptions", "list", *where]) == 0
    assert site.denied() == []


@pytest.fixture
def jobs(call: Caller) -> None:
    """A job that waits."""

    async def work() -> None:
        await queue_up(call, "seen")

    run(work())
    assert call("PATCH", "/routing/jobs/seen", {"queueId": "seen", "channelId": "voice"})[0] in (200, 201)


def test_a_reader_changes_nothing(site: Site, capsys: pytest.CaptureFixture[str]) -> None:
    where = ("--redis-url", site.url("reader"), "--tenants", "main")
    public = ("--public-base-url", "http://jobs.test")
    assert main(["subscriptions", "add", "crm", "https://crm.example.com/events", *public, *where]) == 1
    assert "permission" in capsys.readouterr().err
    assert [line.split()[0] for line in site.denied()] == ["reader"]
    with site.server.client() as client:
        client.acl_log_reset()


@pytest.mark.usefixtures("jobs")
def test_ways_beyond_acs(site: Site, call: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    """Webhooks, explanations, histories, previews, the next offer, metrics."""
    monkeypatch.setattr("tests.outgoing.endpoint.Endpoint", Receiver)

    async def work() -> None:
        async with endpoint() as one:
            assert isinstance(one, Receiver)
            await queue_up(call, "told")
            await subscribe(call, "crm", one, "told")
            await live(call, "told")
            await one.gets(3)

    run(work())
    for path in ("jobs/told/history", "jobs/seen:explain", "queues", "workers", "subscriptions"):
        assert call("GET", f"/ext/v1/{path}")[0] == 200, path
    assert call("POST", "/ext/v1/jobs:preview", {"queueId": "seen", "channelId": "voice"})[0] == 200
    port = int(site.worker.wait_for(r"http://[\w.]+:(\d+)/metrics")[1])
    eventually(lambda: any(name.startswith("jobrouter_events_total") for name in samples(port)))
    assert site.denied() == []


# ---- users of another release ------------------------------------------------------------------------------


def test_who_lacks_a_command_does_not_begin(server_program: Path) -> None:
    """Its functions would fail in their midst: neither part starts, and the library stays as it was."""
    with guarded(server_program, kind_of_program(server_program)) as server, server.client() as client:
        before = library().source.replace(library().digest, "0" * 16)
        client.function_load(before)
        for user in ("api", "worker"):
            client.execute_command("ACL", "SETUSER", user, "-zrem", "-xadd")  # type: ignore[no-untyped-call]
            url = server.signed_in(user, PASSWORDS[user]).url
            keys = {"JOBROUTER_ACCESS_KEYS": f"main={KEY}"}
            with jobrouter(
                user, "--redis-url", url, *(("--port", "0") if user == "api" else ()), **keys
            ) as it:
                assert it.process.wait(30) == 1
                assert "our user of the store may not use XADD, ZREM, which the library calls" in it.rest()
        assert client.function_list("jr", withcode=True)[0][-1] == before
        assert client.dbsize() == 0
