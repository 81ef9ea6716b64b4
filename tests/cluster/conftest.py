"""A cluster for all tests of the process, which each leaves as whole as it has found it."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests import nodes, support


@pytest.fixture(scope="session")
def started(server_program: Path) -> Iterator[nodes.Cluster]:
    """Three primaries with a replica each."""
    with nodes.cluster(server_program) as it:
        yield it


@pytest.fixture
def cluster(started: nodes.Cluster) -> Iterator[nodes.Cluster]:
    """The same; what a test has ended or stopped works again afterwards."""
    yield started
    started.mend()


@pytest.fixture
def tenants(started: nodes.Cluster, tenant: str) -> list[str]:
    """Tenants that no other test has, one on each primary."""
    return started.tenants(f"{tenant}-")


@pytest.fixture(autouse=True)
def names_of_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """Names under localhost are this machine's, as RFC 6761 says and not every system knows."""
    look_up = socket.getaddrinfo

    def resolve(host: Any, *more: Any, **options: Any) -> Any:
        return look_up("127.0.0.1" if str(host).endswith(".localhost") else host, *more, **options)

    monkeypatch.setattr(socket, "getaddrinfo", resolve)


@pytest.fixture
def served(cluster: nodes.Cluster, tenants: list[str]) -> Iterator[support.Served]:
    """The application with a worker, for these tenants."""
    with support.served(cluster.url, tenants=tuple(tenants)) as it:
        yield it
