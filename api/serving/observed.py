"""Around the whole application: every request is measured, logged and traced as operators ask for."""

from __future__ import annotations

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
        request.method = scope["method"] if scope["method"] in METHODS else "other"
        request.watcher = self
        request.started = time.perf_counter()

        async def answer(message: Message) -> None:
            if message["type"] == "http.response.start":
                request.answered(message["status"])
            await send(message)

        if self._tracing is None:
            await self._app(scope, receive, answer)
            return
        with self._tracing.request(scope, request):
            await self._app(scope, receive, answer)

    def answered(self, request: RequestInfo) -> None:
        """An answer begins: by a message, or at once (``api.serving.exchange``)."""
        seconds = time.perf_counter() - request.started
        if self._metrics is not None:
            self._metrics.request(request.route, request.method, request.status, seconds)
        self._log.told(request, request.method, request.status, seconds)
