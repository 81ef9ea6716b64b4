"""The log of requests: those that fail or are slow, and on demand every one."""

from __future__ import annotations

import logging

from api.serving.request import RequestInfo

log = logging.getLogger("jobrouter.access")

WAITING = frozenset({"/ext/v1/workers/{}/offers/next"})
"""Routes that wait on purpose: they are not slow."""


class RequestLog:
    """Tells of requests. ``every``: of all; ``slow_ms``: of those that took so long, 0 = none.

    Of those that were shed others tell, not one by one: a line for each would cost more than its answer.
    """

    def __init__(self, every: bool = False, slow_ms: int = 0) -> None:
        self._every = every
        self._slow_ms = slow_ms

    def told(self, request: RequestInfo, method: str, status: int, seconds: float) -> None:
        """A request was answered after so many seconds."""
        ms = seconds * 1000
        if status >= 500 and not request.shed:
            level = logging.ERROR
        elif self._slow_ms and ms >= self._slow_ms and request.route not in WAITING:
            level = logging.WARNING
        elif self._every:
            level = logging.INFO
        else:
            return
        fields = {"method": method, "route": request.route, "status": status, "ms": round(ms, 3)}
        log.log(level, "%s %s %d in %.1f ms", method, request.route, status, ms, extra=fields)
