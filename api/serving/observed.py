"""Around the whole application: every request is measured, logged and traced as operators ask for."""

from __future__ import annotations

import contextlib
import time
from typing import TYPE_CHECKING

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.serving.request import CURRENT, RequestInfo
from api.serving.request_log import RequestLog

if TYPE_CHECKING:
    from api.serving.tracing import Tracing
    from engine.metrics import Metrics

METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


class Observed:
    """Passes every request on, and tells of it when its answer begins.

    ``pages`` are paths that are routes of their own.
    """

    def __init__(
        self,
        app: ASGIApp,
        pages: frozenset[str],
        log: RequestLog,
        metrics: Metrics | None = None,
        tracing: Tracing | None = None,
    ) -> None:
        self._app = app
        self._pages = pages
        self._log = log
        self._metrics = metrics
        self._tracing = tracing

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request = RequestInfo.of(scope)
        CURRENT.set(request)
        if scope["path"] in self._pages:
            request.route = scope["path"]
        method = scope["method"] if scope["method"] in METHODS else "other"
        started = time.perf_counter()

        async def answer(message: Message) -> None:
            if message["type"] == "http.response.start":
                status, seconds = message["status"], time.perf_counter() - started
                request.status = status
                if self._metrics is not None:
                    self._metrics.request(request.route, method, status, seconds)
                self._log.told(request, method, status, seconds)
            await send(message)

        span = self._tracing.request(scope, request) if self._tracing else contextlib.nullcontext()
        with span:
            await self._app(scope, receive, answer)
