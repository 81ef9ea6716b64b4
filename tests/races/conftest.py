"""One or two replicas of the interface over one store, and what the races are about."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Callable, Iterator
from contextlib import closing

import pytest

from engine.inspection import problems
from tests import support
from tests.races.crowd import Crowd
from tests.signed import Caller


@pytest.fixture(scope="session")
def replica(server: support.Server) -> Iterator[support.Served]:
    """A second application, with a store connection of its own, over the same data."""
    with support.served(server.url, works=False) as it:
        yield it


@pytest.fixture(params=[1, 2], ids=["one-replica", "two-replicas"])
def crowd(request: pytest.FixtureRequest, served: support.Served, replica: support.Served) -> Iterator[Crowd]:
    """Clients of one or two replicas, in turn."""
    with Crowd([served, replica][: request.param]) as it:
        yield it


@pytest.fixture
def call(served: support.Served) -> Iterator[Caller]:
    """Sends signed requests, over one connection."""
    with closing(Caller(served.url, served.key)) as it:
        yield it


@pytest.fixture
def name() -> str:
    """An id that no other test has."""
    return uuid.uuid4().hex[:12]


@pytest.fixture
def sound(server: support.Server) -> Callable[[], bool]:
    """Tells whether every invariant holds."""

    async def look() -> bool:
        found = [text async for _, texts in problems(server.url, "main") for text in texts]
        assert found == []
        return True

    return lambda: asyncio.run(look())
