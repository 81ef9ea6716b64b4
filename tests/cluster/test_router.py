"""The router over HTTP on a cluster: routers on all primaries, through the official client."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any
from urllib.parse import urlsplit

import pytest
from azure.communication.jobrouter import models as m
from azure.core.credentials import AzureKeyCredential

from engine.store import root_of
from tests import support
from tests.events.sse import Stream
from tests.nodes import Cluster
from tests.outgoing.endpoint import endpoint, run
from tests.runtime.test_webhooks import Receiver
from tests.sdk.clients import Sdk, offers_of, register
from tests.signed import Caller

Clients = Callable[[str], Sdk]


def url_of(served: support.Served, tenant: str) -> str:
    return f"http://{tenant}.localhost:{urlsplit(served.url).port}"


@pytest.fixture
def sdk(served: support.Served) -> Iterator[Clients]:
    """Clients of a tenant's router."""
    made: dict[str, Sdk] = {}

    def clients(tenant: str) -> Sdk:
        if tenant not in made:
            url, key = url_of(served, tenant), AzureKeyCredential(served.key)
            # it tries as often as it does by default, sooner: a failover cuts connections
            made[tenant] = Sdk(lambda kind: kind(url, key, retry_backoff_factor=0.05), False)
        return made[tenant]

    yield clients
    for it in made.values():
        it.close()


def set_up(sdk: Sdk, seconds: float = 60) -> None:
    """A queue ``q`` whose offers last so long."""
    policy = m.DistributionPolicy(offer_expires_after_seconds=seconds, mode=m.LongestIdleMode())
    sdk.upsert_distribution_policy("p", policy)
    sdk.upsert_queue("q", m.RouterQueue(distribution_policy_id="p"))


def job(sdk: Sdk, job_id: str) -> None:
    sdk.upsert_job(job_id, m.RouterJob(channel_id="voice", queue_id="q", priority=1))


def fail_over(cluster: Cluster, tenant: str) -> None:
    """By hand: the replica takes over when it has everything."""
    old = cluster.primary_of(root_of(tenant))
    (replica,) = cluster.replicas_of(old)
    replica.do("CLUSTER", "FAILOVER")
    support.eventually(lambda: cluster.primary_of(root_of(tenant)) is replica, "a failover")


def test_lives_of_jobs_on_all_primaries(sdk: Clients, tenants: list[str]) -> None:
    for tenant in tenants:
        clients = sdk(tenant)
        set_up(clients)
        register(clients, "w", "q")
        job(clients, "j")
        (offer,) = offers_of(clients, "w")
        accepted = clients.accept_job_offer("w", offer.offer_id)
        clients.complete_job("j", accepted.assignment_id)
        clients.close_job("j", accepted.assignment_id)
        assert clients.get_job("j").status == "closed"
        assert [one.id for one in clients.list_jobs()] == ["j"]


def test_a_worker_sweeps_all_primaries(
    cluster: Cluster, served: support.Served, sdk: Clients, tenants: list[str]
) -> None:
    assert served.worker
    assert served.worker.alarms
    listening = served.worker.alarms.listening
    support.eventually(listening.is_set, "alarms of all primaries")
    for tenant in tenants:
        set_up(sdk(tenant), 1)
        register(sdk(tenant), "w", "q")
        job(sdk(tenant), "j")
    for tenant in tenants:
        clients = sdk(tenant)
        support.eventually(lambda clients=clients: not clients.get_worker("w").available_for_offers, "expiry")  # type: ignore[misc]


def test_timers_go_on_at_another_primary(
    cluster: Cluster, served: support.Served, sdk: Clients, tenants: list[str]
) -> None:
    assert served.worker
    assert served.worker.alarms
    tenant = tenants[1]
    clients = sdk(tenant)
    set_up(clients, 1)
    fail_over(cluster, tenant)
    support.eventually(served.worker.alarms.listening.is_set, "alarms of the new primary")
    register(clients, "w", "q")
    job(clients, "j")
    support.eventually(lambda: not clients.get_worker("w").available_for_offers, "expiry")


def test_streams_go_on_at_another_primary(
    cluster: Cluster, served: support.Served, sdk: Clients, tenants: list[str]
) -> None:
    tenant = tenants[2]
    clients = sdk(tenant)
    set_up(clients)
    query = "eventType=RouterJobQueued"
    with Stream(url_of(served, tenant), served.key, query) as stream:
        job(clients, "before")
        fail_over(cluster, tenant)
        job(clients, "after")
        assert [event.json["data"]["jobId"] for event in stream.take(2)] == ["before", "after"]


def test_webhooks_of_all_primaries(
    cluster: Cluster,
    served: support.Served,
    sdk: Clients,
    tenants: list[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("tests.outgoing.endpoint.Endpoint", Receiver)

    async def told(one: Any, count: int) -> list[str]:
        return [json.loads(got.body)[0]["data"]["jobId"] for got in await one.gets(count)]

    async def work() -> None:
        for tenant in tenants:
            await asyncio.to_thread(set_up, sdk(tenant))
            async with endpoint() as one:
                with closing(Caller(url_of(served, tenant), served.key)) as call:
                    body = {
                        "destination": {"endpointUrl": f"{one.url}/hook"},
                        "filters": {"eventTypes": ["RouterJobQueued"]},
                    }
                    path = "/ext/v1/subscriptions/s"
                    assert (await asyncio.to_thread(call, "PATCH", path, body))[0] < 300
                    while (await asyncio.to_thread(call, "GET", path))[1]["status"] != "enabled":
                        await asyncio.sleep(0.01)
                await asyncio.to_thread(job, sdk(tenant), "before")
                assert await told(one, 1) == ["before"]
                await asyncio.to_thread(fail_over, cluster, tenant)
                await asyncio.to_thread(job, sdk(tenant), "after")
                assert await told(one, 2) == ["before", "after"]

    run(work())


def test_requests_meanwhile_are_told_to_come_again(
    cluster: Cluster, served: support.Served, sdk: Clients, tenants: list[str]
) -> None:
    tenant, other = tenants[0], tenants[1]
    set_up(sdk(tenant))
    set_up(sdk(other))
    cluster.primary_of(root_of(tenant)).kill()
    body = {"channelId": "voice", "queueId": "q"}
    with closing(Caller(url_of(served, tenant), served.key)) as call:
        status, answer = call("PATCH", "/routing/jobs/j", body)
        assert status == 503, answer
        # the routers on other primaries do not notice
        job(sdk(other), "j")
        support.eventually(lambda: call("PATCH", "/routing/jobs/j", body)[0] < 300, "a new primary")
    assert sdk(tenant).get_job("j").status == "queued"
