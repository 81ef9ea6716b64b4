"""Both clients of the SDK under one roof, sync or async, by constructor or by connection string."""

from __future__ import annotations

import asyncio
import inspect
import time
from collections.abc import Callable
from typing import Any

from azure.communication import jobrouter
from azure.communication.jobrouter import aio
from azure.communication.jobrouter import models as m
from azure.communication.jobrouter._version import VERSION
from azure.core.credentials import AzureKeyCredential

from tests.support import PATIENCE_SECONDS, Served

LIMITS_OFFERS = VERSION != "1.0.0"
"""The one difference between the two interfaces: only the newer one knows a worker's limit of offers."""


class Sdk:
    """The clients; the async ones are driven to their end call by call."""

    def __init__(self, make: Callable[[Any], Any], is_async: bool) -> None:
        self.loop = asyncio.new_event_loop() if is_async else None
        package: Any = aio if is_async else jobrouter
        self.clients = [make(package.JobRouterClient), make(package.JobRouterAdministrationClient)]

    def __getattr__(self, name: str) -> Callable[..., Any]:
        method = next(getattr(client, name) for client in self.clients if hasattr(client, name))

        def call(*args: Any, **options: Any) -> Any:
            result = method(*args, **options)
            if self.loop and inspect.isawaitable(result):
                return self.loop.run_until_complete(result)
            return self.collected(result) if hasattr(result, "by_page") else result

        return call

    def pages(self, name: str, size: int, **options: Any) -> list[list[str]]:
        """The ids that a list gives, page by page."""
        method = next(getattr(client, name) for client in self.clients if hasattr(client, name))
        pages = method(results_per_page=size, **options).by_page()
        return [[item.id for item in page] for page in self.collected(pages, deep=True)]

    def collected(self, items: Any, *, deep: bool = False) -> list[Any]:
        """All items of an iterator of either kind; ``deep`` collects the items as well."""
        if self.loop:
            return self.loop.run_until_complete(_collect(items, deep))
        return [list(item) if deep else item for item in items]

    def close(self) -> None:
        for client in self.clients:
            closed = client.close()
            if self.loop:
                self.loop.run_until_complete(closed)
        if self.loop:
            self.loop.close()


async def _collect(items: Any, deep: bool) -> list[Any]:
    return [await _collect(item, False) if deep else item async for item in items]


def by_constructor(served: Served, is_async: bool, key: str = "") -> Sdk:
    """Clients over plain http."""
    return Sdk(lambda kind: kind(served.url, AzureKeyCredential(key or served.key)), is_async)


def by_connection_string(served: Served, is_async: bool, **options: Any) -> Sdk:
    """Clients over TLS."""
    return Sdk(lambda kind: kind.from_connection_string(served.connection_string, **options), is_async)


def register(sdk: Sdk, worker_id: str, queue: str, **more: Any) -> m.RouterWorker:
    """A worker on the channel ``voice`` that takes offers."""
    channels = [m.RouterChannel(channel_id="voice", capacity_cost_per_job=1)]
    given = {"capacity": 1, "queues": [queue], "channels": channels, "available_for_offers": True, **more}
    worker: m.RouterWorker = sdk.upsert_worker(worker_id, m.RouterWorker(**given))
    return worker


def until(read: Callable[[], Any], holds: Callable[[Any], bool]) -> Any:
    """What is read, as soon as something holds of it."""
    end = time.monotonic() + PATIENCE_SECONDS
    while not holds(found := read()):
        assert time.monotonic() < end, found
    return found


def offers_of(sdk: Sdk, worker_id: str, count: int = 1) -> list[m.RouterJobOffer]:
    """The worker's open offers, as soon as there are so many."""
    worker = until(lambda: sdk.get_worker(worker_id), lambda worker: len(worker.offers) == count)
    return list(worker.offers)
