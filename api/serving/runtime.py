"""Puts the parts of a running router together, and takes them apart in the opposite order."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from api.app import create_app, create_metrics_app
from api.options import Options
from api.serving import addresses, tls
from api.serving.access_keys import (
    VIEW_BYTES,
    BadOption,
    kept_key,
    parse_tenants,
    with_view_keys,
)
from api.serving.connections import Connections, as_many_as_allowed
from api.serving.listeners import listen, serving
from api.serving.rate_limits import with_rates
from api.serving.router import Router
from api.serving.settings import (
    certified_hosts,
    check_api,
    deployment_of,
    given_files,
    ports,
    required_url,
    settings_of,
    tenants_of,
)
from api.wire.answers import queue_selectors, worker_selectors
from engine.data_directory import DataDirectory, usable
from engine.embedded import Embedded
from engine.feed import Feeds
from engine.health import Health
from engine.measured import MeasuredStore
from engine.metrics import Metrics
from engine.replicated import Durability
from engine.server_program import find_program
from engine.servers import Servers
from engine.settings import Settings
from engine.sharing import group_of_tasks
from engine.store import Store
from engine.topology import topology_of
from engine.worker.preparation import Preparation, prepare
from engine.worker.questions import Reading
from engine.worker.service import Outgoing, Worker

if TYPE_CHECKING:
    from api.serving.siblings import Siblings

OTLP_VARIABLES = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
"""Variables of OpenTelemetry that ask for tracing as --otlp does."""


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
        router.tls = given_files(options)
        if router.tls is None:
            with usable(directory.path):
                router.tls = tls.development_files(directory.folder("tls"), certified_hosts(options, tenants))
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


def api_sockets(options: Options) -> list[socket.socket]:
    """What an API listens on: http, and https with a certificate. Raises BadOption."""
    return [listen(options.host, port) for port in ports(options, secure=given_files(options) is not None)]


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
        router = Router(options, settings_of(options, tenants, required_url(options)))
        router.metrics = Metrics()
        _trace(stack, router, options)
        router.tls = given_files(options)
        listening = [*sockets] or _sockets(stack, options, secure=router.tls is not None)
        store = _store(stack, router)
        preparation = Preparation(store, router.settings, writes=False)
        router.reached = preparation.reached
        await stack.enter_async_context(_task(router, _prepared(preparation, router.settings)))
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
        router = Router(options, settings_of(options, tenants, required_url(options)))
        sockets = []
        if options.metrics_port is not None:
            router.metrics = Metrics(router.settings.metric_labels)
            sockets.append(_socket(stack, options.metrics_host, options.metrics_port))
        store = _store(stack, router)
        await _work(stack, router, store)
        if sockets:
            await _serve_metrics(stack, router, store, sockets)
        yield router


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


async def _prepared(preparation: Preparation, settings: Settings) -> None:
    async with group_of_tasks() as group:
        for tenant in settings.tenants:
            group.create_task(preparation(tenant))
    await asyncio.Event().wait()


async def _work(stack: contextlib.AsyncExitStack, router: Router, store: Store) -> None:
    settings = router.settings
    # nothing is removed before the settings that say how long it is kept are in force
    preparation = Preparation(store, settings)
    router.reached = preparation.reached
    worker = worker_of(store, settings, router.metrics, preparation)
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
    return [_socket(stack, options.host, port) for port in ports(options, secure=secure)]


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
