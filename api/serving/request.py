"""What is known of a request while it is answered, for those who watch: metrics, logs, traces."""

from __future__ import annotations

import random
from contextvars import ContextVar

from starlette.types import Scope

UNKNOWN = "none"
"""The route of a request that fits none, or is refused before it is looked for."""

_KEY = "jobrouter"


class RequestInfo:
    """The route it fits, the router it is for, and the id of its trace (32 hexadecimal digits).

    ``shed``: it was refused because there is too much to do.
    """

    __slots__ = ("route", "shed", "status", "tenant", "trace")

    def __init__(self, trace: str) -> None:
        self.route = UNKNOWN
        self.shed = False
        self.status = 0
        self.tenant = ""
        self.trace = trace

    @classmethod
    def of(cls, scope: Scope) -> RequestInfo:
        """What is known of the request of a scope, the same whenever it is asked for."""
        known: RequestInfo | None = scope.get(_KEY)
        if known is None:
            known = scope[_KEY] = cls(_trace(scope))
        return known


def _trace(scope: Scope) -> str:
    """The id of the client's trace, else a new one."""
    for name, value in scope["headers"]:
        if name == b"traceparent":
            parts = value.split(b"-")
            if len(parts) == 4 and len(parts[1]) == 32 and parts[1].isalnum():
                return str(parts[1].decode())
    return f"{random.getrandbits(128):032x}"


CURRENT: ContextVar[RequestInfo | None] = ContextVar("request", default=None)
"""The request that the present task answers."""
