"""``/metrics``: who may see it, and what it tells of requests."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from engine.commands import QueueRead
from engine.metrics import Metrics
from tests.api.conftest import GA, VIEW_KEY, Client, healthy, make_app, make_settings
from tests.runtime.scraping import parsed

Answer = Any
HERE = ("127.0.0.1", 1)
ELSEWHERE = ("10.1.2.3", 1)


@pytest.fixture
def metrics() -> Metrics:
    return Metrics()


@pytest.fixture
def measured(store: Any, metrics: Metrics, make_client: Callable[..., Client]) -> Client:
    app = make_app(store, make_settings(), healthy, clock=lambda: 1_700_000_000.0, metrics=metrics)
    return Client(app)


def page(
    client: Client, peer: tuple[str, int] = HERE, host: str = "localhost:8080", **headers: str
) -> Answer:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return client.send("GET", "/metrics", b"", {"host": host, **named}, client=peer)


@pytest.mark.parametrize(
    "host", ["localhost", "localhost:8080", "main.localhost", "127.0.0.1:80", "[::1]:8080"]
)
@pytest.mark.parametrize("peer", ["127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1"])
def test_this_machine_needs_no_key(measured: Client, peer: str, host: str) -> None:
    answer = page(measured, (peer, 1), host)
    assert answer.status == 200
    assert answer.headers["content-type"].startswith("text/plain; version=")


@pytest.mark.parametrize("version", ["x.y.z", "1.\u00b2.0", ""])
def test_a_form_that_cannot_be_read_gives_the_usual_one(measured: Client, version: str) -> None:
    answer = page(measured, accept=f"application/openmetrics-text; version={version}")
    assert answer.status == 200
    assert b"jobrouter_" in answer.body


@pytest.mark.parametrize(
    ("peer", "host", "headers"),
    [
        (ELSEWHERE, "localhost", {}),
        (("::ffff:10.1.2.3", 1), "localhost", {}),
        (("", 0), "localhost", {}),
        (HERE, "router.example.com", {}),
        (HERE, "127.0.0.1.example.com", {}),
        (HERE, "", {}),
        (HERE, "localhost", {"x_forwarded_for": "10.1.2.3"}),
        (HERE, "localhost", {"forwarded": "for=10.1.2.3"}),
        (HERE, "localhost", {"x_forwarded_host": "router.example.com"}),
        (HERE, "localhost", {"x_forwarded_proto": "https"}),
        (HERE, "localhost", {"x_real_ip": "10.1.2.3"}),
        (HERE, "localhost", {"via": "1.1 front"}),
        (ELSEWHERE, "localhost", {"authorization": "Bearer wrong-wrong-wrong-wrong"}),
        (ELSEWHERE, "localhost", {"authorization": f"Basic {VIEW_KEY}"}),
    ],
)
def test_others_are_refused(
    measured: Client, peer: tuple[str, int], host: str, headers: dict[str, str]
) -> None:
    answer = page(measured, peer, host, **headers)
    assert answer.status == 401
    assert answer.headers["www-authenticate"] == "Bearer"
    assert "JOBROUTER_VIEW_KEYS" in answer.json["error"]["message"]


def test_a_viewing_key_shows_its_own_router(measured: Client, metrics: Metrics) -> None:
    for tenant in ("main", "other"):
        metrics.event(tenant, "RouterJobClosed")
    everything = parsed(page(measured).body.decode())
    shown = parsed(page(measured, ELSEWHERE, authorization=f"Bearer {VIEW_KEY}").body.decode())
    closed = 'jobrouter_events_total{{tenant="{}",type="RouterJobClosed"}}'
    assert {closed.format("main"), closed.format("other")} <= everything.keys()
    assert closed.format("main") in shown
    assert closed.format("other") not in shown
    assert any(name.startswith("jobrouter_build_info") for name in shown)


def test_requests_are_told_by_route_and_status(measured: Client, store: Any) -> None:
    store.on(QueueRead, {"id": "x", "doc": 1, "rev": 1, "distribution": "d", "modified_at": 1, "created": 1})
    assert measured("GET", "/routing/queues/secret-name", version=GA).status == 200
    assert measured("GET", "/routing/queues/another", version=GA).status == 200
    assert measured("GET", "/routing/nothing", version=GA).status == 404
    assert measured.send("GET", "/routing/queues/x", b"", {"host": "localhost"}).status == 401
    assert measured.send("BREW", "/nowhere", b"", {"host": "localhost"}).status == 404
    assert measured.send("GET", "/health/live", b"", {"host": "localhost"}).status == 200
    text = page(measured).body.decode()
    found = parsed(text)
    counts = {
        name.removeprefix("jobrouter_http_request_duration_seconds_count"): value
        for name, value in found.items()
        if name.startswith("jobrouter_http_request_duration_seconds_count")
    }
    assert counts == {
        '{method="GET",route="/routing/queues/{}",status="200"}': 2,
        '{method="GET",route="none",status="404"}': 1,
        '{method="GET",route="none",status="401"}': 1,
        '{method="other",route="none",status="404"}': 1,
        '{method="GET",route="/health/live",status="200"}': 1,
    }
    assert "secret-name" not in text


def test_without_metrics_there_is_no_page(client: Client) -> None:
    assert page(client).status == 404


def test_names_follow_the_rules(metrics: Metrics) -> None:
    """Of Prometheus: base units, no units but seconds, totals of counters."""
    metrics.request("/x", "GET", 200, 0.1)
    for family in metrics.registry.collect():
        if family.name.startswith("jobrouter_"):
            assert family.documentation.endswith((".", "?"))
            assert not family.name.endswith(("_total", "_ms", "_milliseconds", "_minutes"))
            if family.type == "histogram":
                assert family.name.endswith("_seconds")
