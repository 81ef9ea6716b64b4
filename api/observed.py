"""Around the whole application: measures every request, from its arrival to the beginning of its answer."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.request import RequestInfo

if TYPE_CHECKING:
    from engine.metrics import Metrics

METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


class Observed:
    """Passes every request on, and tells the metrics of it. ``pages``: paths that are routes of their own."""

    def __init__(self, app: ASGIApp, metrics: Metrics, pages: frozenset[str]) -> None:
        self._app = app
        self._metrics = metrics
        self._pages = pages

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request = RequestInfo.of(scope)
        if scope["path"] in self._pages:
            request.route = scope["path"]
        started = time.perf_counter()

        async def answer(message: Message) -> None:
            if message["type"] == "http.response.start":
                method = scope["method"] if scope["method"] in METHODS else "other"
                self._metrics.request(request.route, method, message["status"], time.perf_counter() - started)
            await send(message)

        await self._app(scope, receive, answer)
