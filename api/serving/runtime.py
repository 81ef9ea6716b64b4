"""Puts the parts of a running router together, and takes them apart in the opposite order."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import socket
from base64 import b64encode
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from api.app import create_app, create_metrics_app
from api.options import Options
from api.serving import addresses, tls
from api.serving.access_keys import (
    VIEW_BYTES,
    BadOption,
    checked_name,
    kept_key,
    parse_tenants,
    with_view_keys,
)
from api.serving.connections import Connections, as_many_as_allowed
from api.serving.listeners import listen, serving
from api.serving.rate_limits import with_rates
from api.wire.answers import queue_selectors, worker_selectors
from engine.data_directory import DataDirectory, usable
from engine.deployment import Deployment
from engine.embedded import Embedded
from engine.feed import Feeds
from engine.health import Health
from engine.measured import MeasuredStore
from engine.metrics import Metrics
from engine.replicated import Durability
from engine.server_program import find_program
from engine.servers import Servers
from engine.settings import Settings, Tenant
from engine.store import Store
from engine.topology import topology_of
from engine.worker.preparation import Preparation, prepare
from engine.worker.questions import Reading
from engine.worker.service import Outgoing, Worker

if TYPE_CHECKING:
    from api.serving.siblings import Siblings
    from api.serving.tracing import Tracing

log = logging.getLogger("jobrouter")

OTLP_VARIABLES = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
"""Variables of OpenTelemetry that ask for tracing as --otlp does."""

_EVERYWHERE = ("", "0.0.0.0", "::")
_LOCAL = (*_EVERYWHERE, "127.0.0.1", "::1", "localhost")
_RENAMED = {
    "keep_finished": "keep_finished_ms",
    "keep_events": "keep_events_ms",
    "outage": "outage_ms",
    "rule_timeout": "rule_timeout_ms",
    "delivery_timeout": "delivery_timeout_ms",
    "keep_dead_letters": "keep_dead_letters_ms",
    "slow_request": "slow_request_ms",
    "wait_timeout": "wait_timeout_ms",
}


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


def settings_of(options: Options, tenants: dict[str, Tenant], url: str) -> Settings:
    """The settings that the options of any command give."""
    given = {_RENAMED.get(name, name): value for name, value in vars(options).items()}
    fields = {name: given[name] for name in Settings.__struct_fields__ if name in given}
    return Settings(**{**fields, "tenants": tenants, "redis_url": url})


def worker_of(
    store: Store,
    settings: Settings,
    metrics: Metrics | None = None,
    ready: Callable[[str], Awaitable[None]] | None = None,
) -> Worker:
    """The worker that settings ask for; with metrics it measures. It begins for who is ``ready``."""
    outgoing = Outgoing(
        Reading(worker_selectors, queue_selectors),
        settings.allow_outgoing,
        settings.rule_timeout_ms / 1000,
        settings.rule_retries,
        settings.delivery_timeout_ms / 1000,
        settings.retry_scale,
    )
    return Worker(
        store,
        settings.tenants,
        outgoing,
        notifications=settings.notifications,
        metrics=metrics,
        ready=ready,
    )


@contextlib.asynccontextmanager
async def whole_router(options: Options) -> AsyncIterator[Router]:
    """API, worker and, without a URL, the embedded server."""
    async with contextlib.AsyncExitStack() as stack:
        directory = stack.enter_context(DataDirectory(Path(options.data_dir)))
        key_file = view_key_file = None
        keys, view_keys = options.access_keys, options.view_keys
        if not view_keys and not keys:
            view_key_file = directory.path / "view-key"
            view_keys = f"main={kept_key(view_key_file, VIEW_BYTES)}"
        if not keys:
            key_file = directory.path / "access-key"
            keys = f"main={kept_key(key_file)}"
        tenants = with_rates(parse_tenants(keys, options.hosts, view_keys), options.rate_limit)
        if options.wait_replicas and not options.redis_url:
            raise BadOption("The embedded server has no replicas: --wait-replicas needs --redis-url.")
        embedded = None if options.redis_url else Embedded(directory, find_program())
        settings = settings_of(options, tenants, embedded.url if embedded else options.redis_url)
        router = Router(options, settings)
        router.key_file, router.view_key_file = key_file, view_key_file
        router.metrics = Metrics(settings.metric_labels)
        _trace(stack, router, options)
        router.embedded = embedded
        router.tls = _given_files(options)
        if router.tls is None:
            with usable(directory.path):
                router.tls = tls.development_files(
                    directory.folder("tls"), _certified_hosts(options, tenants)
                )
        sockets = _sockets(stack, options, secure=True)
        if embedded:
            stack.push_async_callback(embedded.stop)
            await embedded.start()
        store = _store(stack, router)
        if embedded:
            await prepare(store, settings, writes=True)
        await _work(stack, router, store)
        await _serve(stack, router, store, sockets)
        stack.enter_context(addresses.told(directory.path, router.public_addresses()))
        yield router


def check_api(options: Options) -> None:
    """Looks whether the options of an API fit each other. Raises BadOption."""
    if not options.access_keys:
        raise BadOption("The access keys are missing: give --access-keys or JOBROUTER_ACCESS_KEYS.")
    if _given_files(options) is None and "tls_port" in options.given:
        raise BadOption(
            "--tls-port (or JOBROUTER_TLS_PORT) needs a certificate: give --tls-cert and --tls-key. "
            "Only 'jobrouter serve' makes a development certificate."
        )


def api_sockets(options: Options) -> list[socket.socket]:
    """What an API listens on: http, and https with a certificate. Raises BadOption."""
    return [listen(options.host, port) for port in _ports(options, secure=_given_files(options) is not None)]


@contextlib.asynccontextmanager
async def api_alone(
    options: Options, sockets: Sequence[socket.socket] = (), siblings: Siblings | None = None
) -> AsyncIterator[Router]:
    """The HTTP interface beside a store; https only with a certificate. Raises BadOption.

    ``sockets`` are listened on already, and ``siblings`` the other processes that do so.
    """
    check_api(options)
    async with contextlib.AsyncExitStack() as stack:
        tenants = parse_tenants(options.access_keys, options.hosts, options.view_keys)
        tenants = with_rates(tenants, options.rate_limit)
        router = Router(options, settings_of(options, tenants, _required_url(options)))
        router.metrics = Metrics()
        _trace(stack, router, options)
        router.tls = _given_files(options)
        listening = [*sockets] or _sockets(stack, options, secure=router.tls is not None)
        store = _store(stack, router)
        await stack.enter_async_context(_task(router, _prepared(store, router.settings)))
        if siblings:
            await stack.enter_async_context(siblings.telling(router.metrics.registry))
        await _serve(stack, router, store, listening, siblings)
        yield router


@contextlib.asynccontextmanager
async def worker_alone(options: Options) -> AsyncIterator[Router]:
    """A worker beside a store; it measures if it is to serve what it has measured."""
    async with contextlib.AsyncExitStack() as stack:
        options.host = options.metrics_host
        tenants = with_view_keys(tenants_of(options), options.view_keys)
        router = Router(options, settings_of(options, tenants, _required_url(options)))
        sockets = []
        if options.metrics_port is not None:
            router.metrics = Metrics(router.settings.metric_labels)
            sockets.append(_socket(stack, options.metrics_host, options.metrics_port))
        store = _store(stack, router)
        await _work(stack, router, store)
        if sockets:
            await _serve_metrics(stack, router, store, sockets)
        yield router


def tenants_of(options: Options) -> dict[str, Tenant]:
    """The tenants that a command without HTTP is for. Raises BadOption."""
    names = [name.strip() for name in options.tenants.split(",") if name.strip()]
    if names:
        return {checked_name(name): Tenant(name) for name in names}
    return parse_tenants(options.access_keys) or {"main": Tenant("main")}


def _required_url(options: Options) -> str:
    if not options.redis_url:
        raise BadOption("The address of the store is missing: give --redis-url or JOBROUTER_REDIS_URL.")
    return options.redis_url


def deployment_of(url: str) -> Deployment:
    """The servers that --redis-url names. Raises BadOption."""
    try:
        return Deployment.parse(url)
    except ValueError as error:
        raise BadOption(f"--redis-url cannot be used: {error}.") from None


def _store(stack: contextlib.AsyncExitStack, router: Router) -> Store:
    topology = topology_of(deployment_of(router.settings.redis_url))
    store = _store_of(router, Servers(topology, durability=Durability.of(router.settings)))
    stack.push_async_callback(store.close)
    return store


def _store_of(router: Router, servers: Servers) -> Store:
    if router.metrics is None:
        return Store(servers)
    if router.tracing is None:
        return MeasuredStore(servers, router.metrics)
    return MeasuredStore(servers, router.metrics, router.tracing.call)


def _trace(stack: contextlib.AsyncExitStack, router: Router, options: Options) -> None:
    if not (options.otlp or any(map(os.environ.get, OTLP_VARIABLES))):
        return
    # only what is wanted is imported
    from api.serving import tracing

    router.tracing = tracing.over_otlp(options.otlp)
    stack.push_async_callback(router.tracing.close)


async def _prepared(store: Store, settings: Settings) -> None:
    await prepare(store, settings, writes=False)
    await asyncio.Event().wait()


async def _work(stack: contextlib.AsyncExitStack, router: Router, store: Store) -> None:
    settings = router.settings
    # nothing is removed before the settings that say how long it is kept are in force
    worker = worker_of(store, settings, router.metrics, Preparation(store, settings))
    router.worker = worker
    await stack.enter_async_context(_task(router, worker.run()))


@contextlib.asynccontextmanager
async def _task(router: Router, work: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    task = asyncio.create_task(work)
    router.keep(task)
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def _sockets(stack: contextlib.AsyncExitStack, options: Options, *, secure: bool) -> list[socket.socket]:
    return [_socket(stack, options.host, port) for port in _ports(options, secure=secure)]


def _ports(options: Options, *, secure: bool) -> list[int]:
    return [options.port, options.tls_port] if secure else [options.port]


def _socket(stack: contextlib.AsyncExitStack, host: str, port: int) -> socket.socket:
    return stack.enter_context(contextlib.closing(listen(host, port)))


async def _serve(
    stack: contextlib.AsyncExitStack,
    router: Router,
    store: Store,
    sockets: list[socket.socket],
    siblings: Siblings | None = None,
) -> None:
    settings = router.settings
    health = Health(store, settings.tenants)
    stack.push_async_callback(health.close)
    router.port, router.tls_port = sockets[0].getsockname()[1], sockets[-1].getsockname()[1]
    feeds = Feeds(store)
    connections = Connections(as_many_as_allowed(settings.max_connections), router.metrics)
    metrics, gather = router.metrics, siblings.gather if siblings else None
    app = create_app(store, settings, health, feeds, metrics=metrics, tracing=router.tracing, gather=gather)
    router.keep(await stack.enter_async_context(serving(app, sockets, router.tls, connections)))
    # first of all, since requests under way may finish, and streams have no end of their own
    stack.push_async_callback(feeds.aclose)


async def _serve_metrics(
    stack: contextlib.AsyncExitStack, router: Router, store: Store, sockets: list[socket.socket]
) -> None:
    settings, metrics = router.settings, router.metrics
    assert metrics
    health = Health(store, settings.tenants)
    stack.push_async_callback(health.close)
    router.metrics_port = sockets[0].getsockname()[1]
    app = create_metrics_app(settings, health, metrics)
    router.keep(await stack.enter_async_context(serving(app, sockets)))


def _given_files(options: Options) -> tls.Files | None:
    if bool(options.tls_cert) != bool(options.tls_key):
        raise BadOption("--tls-cert and --tls-key belong together.")
    return tls.Files(Path(options.tls_cert), Path(options.tls_key), None) if options.tls_cert else None


def _certified_hosts(options: Options, tenants: dict[str, Tenant]) -> tuple[str, ...]:
    addresses = [
        options.public_base_url,
        *(f"//{host_of(tenant, options.host)}" for tenant in tenants.values()),
    ]
    hosts = [urlsplit(f"//{host}").hostname for tenant in tenants.values() for host in tenant.hosts]
    return tuple(filter(None, [options.host, *(urlsplit(address).hostname for address in addresses), *hosts]))
