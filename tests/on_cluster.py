"""The server of all tests as a whole cluster: ``pytest --cluster``.

Each test has another primary, in turn: its tenant lies there, and commands without a key go there. Those with
a key go to the primary that has it. Servers that tests start for themselves are clusters of one.
"""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import redis

from tests import nodes

ROOT = "jr:{"


class Server:
    """What tests know of the server of all tests, of a cluster."""

    def __init__(self, cluster: nodes.Cluster) -> None:
        self.url = cluster.url
        self._primaries = cluster.nodes[: nodes.PRIMARIES]
        self._turns = itertools.cycle(self._primaries)
        self._own = self._primaries[0]

    def turn(self) -> None:
        """The next test begins."""
        self._own = next(self._turns)

    def is_own(self, root: str) -> bool:
        """Is the tenant with this root on the primary of the test?"""
        return self._of(root) is self._own

    def client(self) -> redis.Redis:
        """A client of the whole cluster that repeats nothing."""
        others = {node.port: node.client() for node in self._primaries}
        return _Client(others, self._own.port, self._of)

    def primaries(self) -> Iterator[redis.Redis]:
        """A client of each primary."""
        for node in self._primaries:
            with node.client() as client:
                yield client

    def _of(self, root: str) -> nodes.Node:
        return self._primaries[nodes.part_of(root)]


class _Client(redis.Redis):
    """Sends a command where its key is."""

    def __init__(self, clients: dict[int, redis.Redis], own: int, place: Any) -> None:
        super().__init__(connection_pool=clients[own].connection_pool)
        self._clients = clients
        self._place = place

    def execute_command(self, *words: Any, **options: Any) -> Any:
        root = next((word for word in words[1:] if isinstance(word, str) and word.startswith(ROOT)), None)
        if root is None:
            return super().execute_command(*words, **options)
        return self._clients[self._place(root).port].execute_command(*words, **options)  # type: ignore[no-untyped-call]

    def close(self) -> None:
        for client in self._clients.values():
            client.close()


@contextlib.contextmanager
def server(program: Path) -> Iterator[Server]:
    """A cluster that is the server of all tests of the process."""
    with nodes.cluster(program) as cluster:
        yield Server(cluster)
