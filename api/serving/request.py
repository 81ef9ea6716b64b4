"""What is known of a request while it is answered, for those who watch: metrics, logs, traces."""

from __future__ import annotations

import os
from contextvars import ContextVar
from typing import Protocol

from starlette.types import Scope

UNKNOWN = "none"
"""The route of a request that fits none, or is refused before it is looked for."""

_KEY = "jobrouter"
_DRAWN = 256
"""Ids that are drawn at once: one by one, the way to the system costs more than they do."""


class Watcher(Protocol):
    """Who is told when the answer to a request begins."""

    def answered(self, request: RequestInfo) -> None:
        """The status is known."""


class RequestInfo:
    """The route it fits, the router it is for, and the id of its trace (32 hexadecimal digits).

    ``headers`` has of equal names the last. ``started`` is on the clock of time.perf_counter. ``shed``: it
    was refused because there is too much to do.
    """

    __slots__ = ("headers", "method", "route", "shed", "started", "status", "tenant", "trace", "watcher")

    def __init__(self, trace: str, headers: dict[bytes, bytes] | None = None) -> None:
        self.headers = headers or {}
        self.method = ""
        self.route = UNKNOWN
        self.shed = False
        self.started = 0.0
        self.status = 0
        self.tenant = ""
        self.trace = trace
        self.watcher: Watcher | None = None

    @classmethod
    def of(cls, scope: Scope) -> RequestInfo:
        """What is known of the request of a scope, the same whenever it is asked for."""
        known: RequestInfo | None = scope.get(_KEY)
        if known is None:
            headers = dict(scope["headers"])
            known = scope[_KEY] = cls(_trace(headers.get(b"traceparent", b"")), headers)
        return known

    def answered(self, status: int) -> None:
        """Its answer begins."""
        self.status = status
        if self.watcher is not None:
            self.watcher.answered(self)


def _trace(parent: bytes) -> str:
    """The id of the client's trace, else a new one."""
    if parent:
        parts = parent.split(b"-")
        if len(parts) == 4 and len(parts[1]) == 32 and parts[1].isalnum():
            return str(parts[1].decode())
    return drawn_id()


def drawn_id() -> str:
    """A new id; any thread may ask."""
    try:
        return _pool.pop()
    except IndexError:
        digits = os.urandom(16 * _DRAWN).hex()
        _pool.extend([digits[start : start + 32] for start in range(32, len(digits), 32)])
        return digits[:32]


_pool: list[str] = []
# a forked process must not go on with the same ids
os.register_at_fork(after_in_child=_pool.clear)

CURRENT: ContextVar[RequestInfo | None] = ContextVar("request", default=None)
"""The request that the present task answers."""
