"""What is under way is bounded; more is refused at once, and taken again as soon as there is room."""

from __future__ import annotations

import asyncio
import logging
from contextlib import closing

import pytest
from prometheus_client.exposition import generate_latest

from engine.errors import Refused
from engine.metrics import Metrics
from tests import support
from tests.admission.asgi import Site, run
from tests.api.conftest import VIEW_KEY
from tests.events.sse import Stream
from tests.runtime.scraping import parsed
from tests.signed import Caller
from tests.support import eventually


@pytest.mark.parametrize(("method", "read"), [("GET", True), ("PATCH", False)])
def test_more_than_that_is_refused_at_once(method: str, read: bool) -> None:
    async def work() -> None:
        site = Site(max_requests=8)
        await site.begin(4)
        refused = await site.ask(method)
        assert (refused.status, refused.headers["retry-after"]) == (503, "1")
        assert refused.headers["x-ms-error-code"] == refused.json["error"]["code"] == "ServiceUnavailable"
        assert "Nothing was done" in refused.json["error"]["message"]
        assert refused.read is read
        assert site.store.asked == 4
        # another router is not kept out
        await site.begin(1, host="router.example.com")
        assert await site.end() == [200] * 5
        assert (await site.ask(method)).status == 200

    run(work)


def test_places_are_free_again_whatever_ended_a_request() -> None:
    async def work() -> None:
        site = Site(max_requests=2)
        for error, status in ((RuntimeError("bug"), 500), (Refused("NOT_FOUND", "no"), 404)) * 2:
            site.store.fails = error
            assert (await site.ask()).status == status
        site.store.fails = None
        [cancelled] = await site.begin(1)
        assert (await site.ask()).status == 503
        cancelled.cancel()
        await asyncio.gather(cancelled, return_exceptions=True)
        site.store.fails = Refused("NOT_FOUND", "no")
        assert (await site.ask()).status == 404

    run(work)


def test_who_may_not_come_in_takes_no_place() -> None:
    async def work() -> None:
        site = Site(max_requests=4)
        await site.begin(2)
        denied = await site.ask("GET", authorization="HMAC-SHA256 x")
        assert denied.status == 401
        # the pages beside the interface answer whatever is under way
        assert (await site.ask("GET", "/health/live")).status == 200
        # one who looks at the router is one of those who ask
        assert (await site.ask("GET", authorization=f"Bearer {VIEW_KEY}")).status == 503
        await site.end()

    run(work)


def test_refusals_are_counted_and_told_once(caplog: pytest.LogCaptureFixture) -> None:
    metrics = Metrics()

    def shown() -> dict[str, float]:
        found = parsed(generate_latest(metrics.registry).decode())
        return {name: value for name, value in found.items() if name.startswith("jobrouter_requests_")}

    async def work() -> None:
        site = Site(metrics, max_requests=4)
        await site.begin(2)
        for _ in range(3):
            await site.ask()
        series = shown()
        assert series['jobrouter_requests_under_way{kind="requests",tenant="main"}'] == 2
        assert series['jobrouter_requests_under_way{kind="waiting",tenant="main"}'] == 0
        assert series['jobrouter_requests_refused_total{reason="requests",tenant="main"}'] == 3
        await site.end()
        assert shown()['jobrouter_requests_under_way{kind="requests",tenant="main"}'] == 0

    with caplog.at_level(logging.INFO):
        run(work)
    assert [record.getMessage() for record in caplog.records] == [
        "main: requests are refused: more requests are under way than this process works on at once"
    ]


def test_those_who_wait_have_a_bound_of_their_own(server: support.Server) -> None:
    with (
        support.served(server.url, works=False, max_waiting=2) as served,
        closing(Caller(served.url, served.key)) as call,
        closing(Stream(served.url, served.key)) as first,
        closing(Stream(served.url, served.key)) as second,
    ):
        assert (first.status, second.status) == (200, 200)
        third = Stream(served.url, served.key)
        assert (third.status, third.response.getheader("retry-after")) == (503, "1")
        third.close()
        status, answer = call("GET", "/ext/v1/workers/x/offers/next?wait=30")
        assert (status, answer["error"]["code"]) == (503, "ServiceUnavailable")
        # others are answered as ever
        assert call("GET", "/routing/queues")[0] == 200
        first.close()
        eventually(lambda: call("GET", "/ext/v1/workers/x/offers/next?wait=0")[0] == 404, "a free place")
        # an end by an error has freed it again
        assert call("GET", "/ext/v1/workers/x/offers/next?wait=0")[0] == 404
