"""Traces: a request and its calls of the store are spans of one trace, that of the client if it has one."""

from __future__ import annotations

import asyncio
import gzip
import queue
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode

from api.serving import tracing as tracing_module
from api.serving.access_keys import BadOption
from api.serving.request import CURRENT, RequestInfo
from api.serving.tracing import Tracing, over_otlp
from engine.commands import QueueRead, RouterStatus
from engine.errors import Refused, Unavailable
from engine.measured import MeasuredStore
from engine.metrics import Metrics
from engine.servers import Servers
from tests import support
from tests.api.conftest import NOW, Client, healthy, make_app, make_settings, sign
from tests.runtime.processes import ROOT, serving

PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


@pytest.fixture
def exporter() -> InMemorySpanExporter:
    return InMemorySpanExporter()


@pytest.fixture
def tracing(exporter: InMemorySpanExporter) -> Iterator[Tracing]:
    it = Tracing(SimpleSpanProcessor(exporter))
    yield it
    asyncio.run(it.close())


@pytest.fixture
def traced(server: support.Server, tracing: Tracing) -> Client:
    """An application over a real store, whose client makes a loop of its own for each request."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        store = MeasuredStore(Servers.of(server.url), Metrics(), tracing.call)
        try:
            await make_app(store, make_settings(), healthy, clock=lambda: NOW, tracing=tracing)(
                scope, receive, send
            )
        finally:
            await store.close()

    return Client(app)


def ask(client: Client, path: str, **headers: str) -> Any:
    target = f"{path}?api-version=2023-11-01"
    return client.send("GET", target, b"", {**sign("GET", target), **headers})


def spans(exporter: InMemorySpanExporter) -> list[ReadableSpan]:
    return list(exporter.get_finished_spans())


def attributes(span: ReadableSpan) -> dict[str, Any]:
    return dict(span.attributes or {})


def test_a_request_and_its_call(traced: Client, exporter: InMemorySpanExporter) -> None:
    answer = ask(traced, "/routing/queues/somebody-secret", traceparent=PARENT)
    assert answer.status == 404
    call, request = spans(exporter)
    assert (call.name, call.kind) == ("jr_queue_read", SpanKind.CLIENT)
    assert (request.name, request.kind) == ("GET /routing/queues/{}", SpanKind.SERVER)
    assert call.parent
    assert request.parent
    assert request.context
    assert call.parent.span_id == request.context.span_id
    assert f"{request.parent.span_id:016x}" == PARENT.split("-")[2]
    assert f"{request.context.trace_id:032x}" == PARENT.split("-")[1]
    assert answer.headers["trace-id"].replace("-", "") == PARENT.split("-")[1]
    told = attributes(request)
    assert told["http.route"] == "/routing/queues/{}"
    assert told["http.response.status_code"] == 404
    assert told["jobrouter.tenant"] == "main"
    assert attributes(call)["jobrouter.refused"] == "NOT_FOUND"
    assert call.status.status_code == StatusCode.UNSET
    assert "secret" not in f"{told} {attributes(call)} {call.events} {request.events}"


def test_a_trace_of_its_own(traced: Client, exporter: InMemorySpanExporter) -> None:
    answer = ask(traced, "/routing/queues/x")
    _, request = spans(exporter)
    assert request.parent is None
    assert request.context
    assert answer.headers["trace-id"].replace("-", "") == f"{request.context.trace_id:032x}"


def test_what_fails_is_marked(tracing: Tracing, exporter: InMemorySpanExporter, store: Any) -> None:
    store.on(QueueRead, RuntimeError("boom"))
    client = Client(make_app(store, make_settings(), healthy, clock=lambda: NOW, tracing=tracing))
    assert ask(client, "/routing/queues/x").status == 500
    (request,) = spans(exporter)
    assert request.status.status_code == StatusCode.ERROR


def test_a_call_that_fails_is_marked(tracing: Tracing, exporter: InMemorySpanExporter) -> None:
    token = CURRENT.set(RequestInfo("ab" * 16))
    try:
        with pytest.raises(Unavailable), tracing.call("jr_job_read"):
            raise Unavailable("the secret store is away")
    finally:
        CURRENT.reset(token)
    (call,) = spans(exporter)
    assert (call.status.status_code, call.status.description) == (StatusCode.ERROR, "Unavailable")
    assert not call.events


def test_calls_outside_of_requests_are_not_traced(
    server: support.Server, tracing: Tracing, exporter: InMemorySpanExporter, root: str
) -> None:
    async def work() -> None:
        store = MeasuredStore(Servers.of(server.url), Metrics(), tracing.call)
        try:
            assert CURRENT.get() is None
            await store.run(root, RouterStatus())
            with pytest.raises(Refused):
                await store.run(root, QueueRead("nobody"))
        finally:
            await store.close()

    asyncio.run(work())
    assert spans(exporter) == []


def test_nothing_is_imported_unless_asked_for() -> None:
    """Of OpenTelemetry's traces and exporters; redis-py imports what it finds for metrics of its own."""
    code = (
        "import sys, api.cli, api.cli.serve, api.serving.runtime, api.app\n"
        "traces = ('api.serving.tracing', 'opentelemetry.exporter', 'opentelemetry.sdk.trace.export')\n"
        "print([name for name in sys.modules if name.startswith(traces)])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.strip() == "[]"


class _Collector(BaseHTTPRequestHandler):
    """Takes what is sent to it."""

    def do_POST(self) -> None:
        size = int(self.headers["content-length"])
        self.server.taken.put((self.path, self.rfile.read(size)))  # type: ignore[attr-defined]
        self.send_response(200)
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:
        """Tells nobody."""


@pytest.fixture
def collector() -> Iterator[Any]:
    it = ThreadingHTTPServer(("127.0.0.1", 0), _Collector)
    it.taken = queue.Queue()  # type: ignore[attr-defined]
    thread = threading.Thread(target=it.serve_forever)
    thread.start()
    yield it
    it.shutdown()
    thread.join()
    it.server_close()


@pytest.mark.parametrize("by_option", [True, False])
def test_traces_are_sent(tmp_path: Path, collector: Any, by_option: bool) -> None:
    address = f"http://127.0.0.1:{collector.server_port}"
    options = ("--otlp", address) if by_option else ()
    variables = {} if by_option else {"OTEL_EXPORTER_OTLP_ENDPOINT": address}
    with serving(tmp_path, *options, **variables) as it:
        assert it.get("/health/live")[0] == 200
        # what is left is sent at the end
        assert it.end() == 0
    path, body = collector.taken.get(timeout=support.PATIENCE_SECONDS)
    assert path == "/v1/traces"
    text = gzip.decompress(body) if body[:2] == b"\x1f\x8b" else body
    assert b"GET /health/live" in text


def test_missing_packages_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "opentelemetry.exporter.otlp.proto.http.trace_exporter", None)
    with pytest.raises(BadOption, match="pip install opentelemetry-sdk"):
        over_otlp("http://localhost:4318")


def test_the_end_does_not_wait_for_who_takes_no_spans(monkeypatch: pytest.MonkeyPatch) -> None:
    answers = threading.Event()

    class Silent(SpanProcessor):
        def shutdown(self) -> None:
            answers.wait(support.PATIENCE_SECONDS)
            ended.append(answers.is_set())

    ended: list[bool] = []
    monkeypatch.setattr(tracing_module, "_LAST_SECONDS", 0.01)
    asyncio.run(Tracing(Silent()).close())
    assert not ended
    answers.set()
