"""Traces of requests and of their calls of the store, sent by OpenTelemetry when operators ask for it.

A request goes on with the trace of its ``traceparent``, and its answer's ``trace-id`` is that of the trace.
Spans tell routes and operations, never ids, queries or bodies. It needs the extra ``tracing``,
of which nothing is imported here unless tracing is asked for.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import threading
from collections.abc import Iterator
from typing import TYPE_CHECKING

from api.serving.access_keys import BadOption
from api.serving.request import CURRENT, RequestInfo
from engine import __version__
from engine.errors import Refused

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import SpanProcessor
    from starlette.types import Scope

_LAST_SECONDS = 5.0
"""How long one sending may take, and all that is left at the end together."""


class Tracing:
    """Makes spans, and hands them to a processor."""

    def __init__(self, processor: SpanProcessor) -> None:
        from opentelemetry import propagate, trace
        from opentelemetry.sdk.resources import SERVICE_NAME, SERVICE_VERSION, Resource
        from opentelemetry.sdk.trace import TracerProvider

        own = {SERVICE_NAME: os.environ.get("OTEL_SERVICE_NAME", "jobrouter"), SERVICE_VERSION: __version__}
        self._provider = TracerProvider(resource=Resource.create(own), shutdown_on_exit=False)
        self._provider.add_span_processor(processor)
        self._tracer = self._provider.get_tracer("jobrouter", __version__)
        self._trace = trace
        self._extract = propagate.extract

    @contextlib.contextmanager
    def request(self, scope: Scope, request: RequestInfo) -> Iterator[None]:
        """The span of a request; what is called meanwhile is part of it."""
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        method = scope["method"]
        with self._tracer.start_as_current_span(
            method,
            self._extract(headers),
            kind=self._trace.SpanKind.SERVER,
            attributes={"http.request.method": method, "url.scheme": scope.get("scheme", "http")},
            record_exception=False,
        ) as span:
            request.trace = self._trace.format_trace_id(span.get_span_context().trace_id)
            try:
                yield
            finally:
                span.update_name(f"{method} {request.route}")
                span.set_attribute("http.route", request.route)
                span.set_attribute("jobrouter.tenant", request.tenant)
                if request.status:
                    span.set_attribute("http.response.status_code", request.status)
                if request.status >= 500:
                    span.set_status(self._trace.StatusCode.ERROR)

    @contextlib.contextmanager
    def call(self, operation: str) -> Iterator[None]:
        """The span of a call of the store; none where it is not part of a request."""
        if CURRENT.get() is None:
            yield
            return
        with self._tracer.start_as_current_span(
            operation,
            kind=self._trace.SpanKind.CLIENT,
            attributes={"db.system.name": "redis", "db.operation.name": operation},
            record_exception=False,
            set_status_on_exception=False,
        ) as span:
            try:
                yield
            except Refused as refused:
                span.set_attribute("jobrouter.refused", refused.code)
                raise
            except BaseException as error:
                span.set_status(self._trace.StatusCode.ERROR, type(error).__name__)
                raise

    async def close(self) -> None:
        """Sends what is left, for a moment at most."""
        loop, sent = asyncio.get_running_loop(), asyncio.Event()

        def send() -> None:
            try:
                self._provider.shutdown()
            finally:
                # nobody may wait for it any more
                with contextlib.suppress(RuntimeError):
                    loop.call_soon_threadsafe(sent.set)

        # the end of the loop and of the process would wait for a thread of theirs
        threading.Thread(target=send, daemon=True).start()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_LAST_SECONDS):
                await sent.wait()


def over_otlp(endpoint: str) -> Tracing:
    """Traces that are sent to an OTLP endpoint over HTTP, as http://localhost:4318. Raises BadOption.

    Without one, OpenTelemetry's own variables say where to.
    """
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
    except ImportError:
        raise BadOption(
            "Tracing needs more packages: "
            "pip install opentelemetry-sdk opentelemetry-exporter-otlp-proto-http."
        ) from None
    target = f"{endpoint.rstrip('/')}/v1/traces" if endpoint else None
    return Tracing(BatchSpanProcessor(OTLPSpanExporter(target, timeout=_LAST_SECONDS)))
