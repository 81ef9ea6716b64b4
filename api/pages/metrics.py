"""``GET /metrics``: what this process measures, for Prometheus.

Callers on this machine see everything; a viewing key opens, from anywhere, what is told of its own router and
of the process.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from api.errors import Denied
from api.pages.local import is_local

if TYPE_CHECKING:
    from prometheus_client.core import Metric

    from api.viewing import Viewing
    from engine.metrics import Metrics
    from engine.settings import Tenant


class NotShown(Denied):
    """No viewing key, or a wrong one."""

    headers = ((b"www-authenticate", b"Bearer"),)


Gather = Callable[[CollectorRegistry], Awaitable[CollectorRegistry]]


def route(
    metrics: Metrics, viewing: Viewing, tenants: Iterable[Tenant], gather: Gather | None = None
) -> Route:
    """The page of all metrics of a process that serves these tenants, and of those that ``gather`` adds."""
    known = tuple(tenants)

    async def answer(request: Request) -> Response:
        headers = {name.lower(): value for name, value in request.headers.raw}
        registry = metrics.registry
        admitted: list[str] | None = None
        if not is_local(headers, request.client.host if request.client else ""):
            admitted = [tenant.name for tenant in known if viewing.admits(tenant, headers)]
            if not admitted:
                raise NotShown(
                    "Only the machine of the router itself may see its metrics without a viewing key: send "
                    "'Authorization: Bearer <key>' with a key of --view-keys (JOBROUTER_VIEW_KEYS)."
                )
        if gather is not None:
            registry = await gather(registry)
        if admitted is not None:
            registry = _of_tenants(registry, frozenset(admitted))
        encode, content_type = _encoder(request.headers.get("accept", ""))
        # many series take a while to write
        text: bytes = await asyncio.to_thread(encode, registry)
        return Response(text, headers={"content-type": content_type, "cache-control": "no-store"})

    return Route("/metrics", answer)


def _encoder(accept: str) -> tuple[Callable[[CollectorRegistry], bytes], str]:
    """The form that a client wants; the usual one where that cannot be read."""
    try:
        return choose_encoder(accept)
    except (ValueError, TypeError):
        # a version that is no number; numbers and words do not compare
        return choose_encoder("")


class _Filtered(Collector):
    """The series of some tenants, and those of none."""

    def __init__(self, registry: CollectorRegistry, tenants: frozenset[str]) -> None:
        self._registry = registry
        self._tenants = tenants

    def collect(self) -> Iterator[Metric]:
        for family in self._registry.collect():
            family.samples = [sample for sample in family.samples if self._shows(sample.labels)]
            yield family

    def _shows(self, labels: Mapping[str, str]) -> bool:
        return labels.get("tenant") is None or labels["tenant"] in self._tenants


def _of_tenants(registry: CollectorRegistry, tenants: frozenset[str]) -> CollectorRegistry:
    filtered = CollectorRegistry(auto_describe=False)
    filtered.register(_Filtered(registry, tenants))
    return filtered
