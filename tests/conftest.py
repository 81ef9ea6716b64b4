"""Fixtures of all tests: one server a test process, a tenant of its own for each test."""

from __future__ import annotations

import contextlib
import itertools
import logging
import os
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import pytest

from engine.server_program import find_program
from engine.store import Store, root_of
from tests import on_cluster, support
from tests.lua import coverage

coverage.enable()

_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def server_program() -> Path:
    """The server under test: that of JOBROUTER_TEST_SERVER, else the embedded one."""
    given = os.environ.get("JOBROUTER_TEST_SERVER")
    return Path(given) if given else find_program()


def pytest_addoption(parser: pytest.Parser) -> None:
    """``--cluster``: the servers of the tests are clusters, see tests.on_cluster."""
    parser.addoption("--cluster", action="store_true", help="run on a Redis Cluster of three primaries")


def pytest_configure(config: pytest.Config) -> None:
    """Names the mark of tests that need what a cluster has not."""
    config.addinivalue_line("markers", "one_server(why): needs what no server of a cluster has or does")
    support.Server.clustered = config.getoption("--cluster")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """What cannot run on a cluster is left out there, with its reason."""
    for item in items if config.getoption("--cluster") else ():
        for mark in item.iter_markers("one_server"):
            item.add_marker(pytest.mark.skip(reason=f"not on a cluster: {mark.args[0]}"))


@pytest.fixture(scope="session")
def server(request: pytest.FixtureRequest, server_program: Path) -> Iterator[support.Server]:
    """A server with the library, for all tests of the process."""
    if request.config.getoption("--cluster"):
        with on_cluster.server(server_program) as whole:
            for client in whole.primaries():
                support.SyncStore(client).load()
            yield whole  # type: ignore[misc]
            for client in whole.primaries():
                coverage.collect(client.execute_command)
        return
    with support.server(server_program) as it:
        with it.client() as client:
            support.SyncStore(client).load()
        yield it
        with it.client() as client:
            coverage.collect(client.execute_command)


@pytest.fixture(autouse=True)
def turn(request: pytest.FixtureRequest) -> None:
    """On a cluster each test has another primary."""
    if request.config.getoption("--cluster") and "server" in request.fixturenames:
        server = request.getfixturevalue("server")
        # some modules have a server of their own
        if isinstance(server, on_cluster.Server):
            server.turn()


@pytest.fixture(autouse=True)
def own_log() -> Iterator[None]:
    """What a test lets a command log to goes with it."""
    yield
    root = logging.getLogger()
    for handler in root.handlers[:]:
        # pytest's own are of other classes
        if type(handler) is logging.StreamHandler:
            root.removeHandler(handler)


@pytest.fixture
def tenant(request: pytest.FixtureRequest) -> str:
    """The name of a tenant that no other test has."""
    names = (f"t{os.getpid()}-{number}" for number in _numbers)
    if request.config.getoption("--cluster") and "server" in request.fixturenames:
        server = request.getfixturevalue("server")
        return next(name for name in names if server.is_own(root_of(name)))
    return next(names)


@pytest.fixture
def root(tenant: str) -> str:
    """The root of the test's own tenant."""
    return root_of(tenant)


@pytest.fixture
def store(request: pytest.FixtureRequest, server: support.Server) -> Iterator[support.SyncStore]:
    """The library as plain calls. The keys of the test's tenant go with it: other tests look through all."""
    alone = "root" in request.fixturenames and "served" not in request.fixturenames
    root = request.getfixturevalue("root") if alone else ""
    with server.client() as client:
        yield support.SyncStore(client)
        if root:
            left = list(client.scan_iter(f"{root}*", count=10_000))
            for at in range(0, len(left), 1_000):
                client.unlink(*left[at : at + 1_000])


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
