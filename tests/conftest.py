"""Fixtures of all tests: one server a test process, a tenant of its own for each test."""

from __future__ import annotations

import contextlib
import itertools
import os
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import pytest

from engine.server_program import find_program
from engine.store import Store, root_of
from tests import support
from tests.lua import coverage

coverage.enable()

_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def server_program() -> Path:
    """The server under test: that of JOBROUTER_TEST_SERVER, else the embedded one."""
    given = os.environ.get("JOBROUTER_TEST_SERVER")
    return Path(given) if given else find_program()


@pytest.fixture(scope="session")
def server(server_program: Path) -> Iterator[support.Server]:
    """A server with the library, for all tests of the process."""
    with support.server(server_program) as it:
        with it.client() as client:
            support.SyncStore(client).load()
        yield it
        with it.client() as client:
            coverage.collect(client.execute_command)


@pytest.fixture
def tenant(request: pytest.FixtureRequest) -> str:
    """The name of a tenant that no other test has."""
    return f"t{os.getpid()}-{next(_numbers)}"


@pytest.fixture
def root(tenant: str) -> str:
    """The root of the test's own tenant."""
    return root_of(tenant)


@pytest.fixture
def store(server: support.Server) -> Iterator[support.SyncStore]:
    """The library as plain calls."""
    with server.client() as client:
        yield support.SyncStore(client)


@pytest.fixture
def open_store(server: support.Server) -> Callable[[], AbstractAsyncContextManager[Store]]:
    """Makes asynchronous stores: ``async with open_store() as store``."""

    @contextlib.asynccontextmanager
    async def make() -> AsyncIterator[Store]:
        it = await Store.open(server.url)
        try:
            yield it
        finally:
            await it.close()

    return make


@pytest.fixture(scope="session")
def served(server: support.Server) -> Iterator[support.Served]:
    """The application over http and https, with a worker, for the tenant ``main``."""
    with support.served(server.url) as it:
        yield it
