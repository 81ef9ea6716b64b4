"""A router over its limit: what clients are told, who counts, and how operators write limits."""

from __future__ import annotations

import asyncio
from base64 import b64encode
from contextlib import closing
from typing import Any

import pytest
from azure.communication.jobrouter import JobRouterAdministrationClient
from azure.core.credentials import AzureKeyCredential

from api.options import parse
from api.serving.access_keys import BadOption, parse_tenants
from api.serving.rate_limits import with_rates
from engine.settings import Rate
from tests import support
from tests.admission.asgi import Site, run
from tests.api.conftest import VIEW_KEY
from tests.signed import Caller

RATE = Rate(1_000, 10_000)


async def waiting_for_nobody(site: Site) -> None:
    site.store.goes_on.set()
    await asyncio.sleep(0)


def test_more_than_the_limit_is_refused() -> None:
    async def work() -> None:
        site = Site(rate=RATE)
        site.store.bucket = 2
        await waiting_for_nobody(site)
        assert [(await site.ask()).status for _ in range(3)] == [200, 200, 429]
        for method in ("GET", "PATCH", "DELETE"):
            refused = await site.ask(method)
            assert refused.status == 429
            assert refused.headers["x-ms-error-code"] == refused.json["error"]["code"] == "TooManyRequests"
            assert refused.json["error"] == refused.json["communicationError"]
            assert refused.headers["retry-after"] == "30"
            assert "1000 requests in 10 s" in refused.json["error"]["message"]
            # the bucket is known to be empty: nothing more is looked at
            assert not refused.read
        assert site.store.asked == 2
        # another router has a limit of its own, or none
        assert (await site.ask(host="router.example.com")).status == 200

    run(work)


def test_who_is_not_counted() -> None:
    async def work() -> None:
        site = Site(rate=RATE)
        site.store.bucket = 1
        await waiting_for_nobody(site)
        for _ in range(3):
            # strangers use up nobody's limit
            assert (await site.ask(authorization="HMAC-SHA256 x")).status == 401
            assert (await site.ask(authorization=f"Bearer {VIEW_KEY}")).status == 200
            assert (await site.ask("GET", "/health/live")).status == 200
            assert (await site.ask("GET", "/routing/nothing")).status == 404
        assert [(await site.ask()).status for _ in range(2)] == [200, 429]
        # whoever looks at the router sees it when it is over its limit, too
        assert (await site.ask(authorization=f"Bearer {VIEW_KEY}")).status == 200

    run(work)


def test_what_was_refused_has_left_its_place() -> None:
    async def work() -> None:
        site = Site(rate=RATE, max_requests=2)
        site.store.bucket = 1
        await waiting_for_nobody(site)
        assert [(await site.ask()).status for _ in range(5)] == [200, 429, 429, 429, 429]

    run(work)


def test_two_processes_have_one_limit(server: support.Server) -> None:
    tenants = ("limited",)
    rate = Rate(20, 3_600_000)
    with (
        support.served(server.url, works=False, tenants=tenants, rate=rate) as one,
        support.served(server.url, works=False, tenants=tenants, rate=rate) as other,
        closing(Caller(one.url, one.key)) as first,
        closing(Caller(other.url, other.key)) as second,
    ):
        for caller in (first, second):
            caller.host = caller.host.replace("127.0.0.1", "limited.localhost")
        statuses = [call("GET", "/routing/queues")[0] for _ in range(15) for call in (first, second)]
        assert (statuses.count(200), statuses.count(429)) == (20, 10)


def test_the_official_client_comes_again_when_it_is_told(server: support.Server) -> None:
    with support.served(server.url, works=False, tenants=("main",), rate=Rate(2, 2_000)) as served:
        client = JobRouterAdministrationClient(served.url, AzureKeyCredential(served.key))
        responses: list[int] = []

        def note(response: Any) -> None:
            responses.append(response.http_response.status_code)

        with client:
            # its hook sees every try
            while 429 not in responses and len(responses) < 50:
                # the first page alone, whatever other tests have left in this router
                next(iter(client.list_queues(raw_response_hook=note)), None)
        assert responses[-2:] == [429, 200]


KEYS = f"main={b64encode(b'0123456789abcdef').decode()};other={b64encode(b'fedcba9876543210').decode()}"


@pytest.mark.parametrize(
    ("text", "main", "other"),
    [
        ("", None, None),
        ("1000/10s", Rate(1_000, 10_000), Rate(1_000, 10_000)),
        ("20/s", Rate(20, 1_000), Rate(20, 1_000)),
        ("main=5/250ms", Rate(5, 250), None),
        ("1000000/h; other = none", Rate(1_000_000, 3_600_000), None),
        ("other=6/m;1/2m", Rate(1, 120_000), Rate(6, 60_000)),
    ],
)
def test_limits_as_they_are_written(text: str, main: Rate | None, other: Rate | None) -> None:
    tenants = with_rates(parse_tenants(KEYS), parse(["api", "--rate-limit", text], {}).rate_limit)
    assert (tenants["main"].rate, tenants["other"].rate) == (main, other)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("1000", "The rate limit '1000' cannot be used: it is '1000/10s' for every router"),
        ("0/s", "cannot be used"),
        ("main=5/0s", "cannot be used"),
        ("1/2h", "one hour"),
        ("1000001/s", "at most 1000000 requests"),
        ("none/s", "cannot be used"),
        ("1/s;2/s", "name every router twice"),
        ("main=1/s;main=2/s", "name the router 'main' twice"),
        ("third=1/s", "'third', which has no access key"),
    ],
)
def test_limits_that_cannot_be_used(text: str, complaint: str) -> None:
    with pytest.raises(BadOption, match=complaint):
        with_rates(parse_tenants(KEYS), text)
