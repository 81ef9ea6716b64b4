"""A router that answers, as clients and operators have to know it."""

from __future__ import annotations

import asyncio
from base64 import b64encode
from pathlib import Path
from typing import TYPE_CHECKING

from api.options import Options
from api.serving import tls
from engine.embedded import Embedded
from engine.metrics import Metrics
from engine.settings import Settings, Tenant
from engine.worker.service import Worker

if TYPE_CHECKING:
    from api.serving.tracing import Tracing

_LOCAL = ("", "0.0.0.0", "::", "127.0.0.1", "::1", "localhost")


class Router:
    """A router that answers: what clients and operators have to know of it."""

    def __init__(self, options: Options, settings: Settings) -> None:
        self.settings = settings
        self.tls: tls.Files | None = None
        self.embedded: Embedded | None = None
        self.worker: Worker | None = None
        self.metrics: Metrics | None = None
        self.tracing: Tracing | None = None
        self.port = 0
        self.tls_port = 0
        self.metrics_port = 0
        self.shows_keys: bool = getattr(options, "show_keys", False)
        self.key_file: Path | None = None
        """Where the access key stands that was made; None when keys are given."""
        self.view_key_file: Path | None = None
        self.reached = asyncio.Event()
        """Set when the store was reached and prepared for one of the tenants at least."""
        self._host = options.host
        self._tasks: list[asyncio.Task[None]] = []

    def endpoint(self, tenant: str, *, secure: bool) -> str:
        """The address of a tenant's interface, with a slash at its end."""
        if self.settings.public_base_url and tenant == "main":
            return self.settings.public_base_url.rstrip("/") + "/"
        scheme, port = ("https", self.tls_port) if secure else ("http", self.port)
        return f"{scheme}://{host_of(self.settings.tenants[tenant], self._host)}:{port}/"

    def public_addresses(self) -> dict[str, str]:
        """An address of each tenant that others can open: few trust a development certificate."""
        secure = self.tls is not None and self.tls.ca is None
        return {tenant: self.endpoint(tenant, secure=secure) for tenant in self.settings.tenants}

    def key(self, tenant: str) -> str:
        """A tenant's first key, as base64."""
        return b64encode(self.settings.tenants[tenant].keys[0]).decode()

    def connection_string(self, tenant: str) -> str:
        """What an official client takes; that of Python uses https whatever the address says."""
        return f"{self.endpoint_part(tenant)};accesskey={self.key(tenant)}"

    def endpoint_part(self, tenant: str) -> str:
        """The first half of a connection string."""
        return f"endpoint={self.endpoint(tenant, secure=self.tls is not None)}"

    def metrics_address(self) -> str:
        """The address of the metrics, empty where there are none."""
        port = self.metrics_port or self.port
        host = host_of(Tenant("main"), self._host)
        return f"http://{host}:{port}/metrics" if self.metrics and port else ""

    def keep(self, task: asyncio.Task[None]) -> None:
        """A task without which the router cannot go on."""
        self._tasks.append(task)

    async def until_reached(self) -> None:
        """Waits for the store; raises when a part has failed before."""
        reached = asyncio.create_task(self.reached.wait())
        try:
            await asyncio.wait([reached, *self._tasks], return_when=asyncio.FIRST_COMPLETED)
        finally:
            reached.cancel()
        if not self.reached.is_set():
            await self.run()

    async def run(self) -> None:
        """Returns never; raises when a part has failed."""
        done, _ = await asyncio.wait(self._tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
        raise RuntimeError("a part of the router has ended")


def host_of(tenant: Tenant, host: str) -> str:
    """A host name by which clients reach a tenant."""
    if tenant.hosts:
        return tenant.hosts[0]
    local = "localhost" if host in _LOCAL else f"[{host}]" if ":" in host else host
    return local if tenant.name == "main" else f"{tenant.name}.{local}"
