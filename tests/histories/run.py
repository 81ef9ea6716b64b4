"""Runs histories of many routers side by side, and checks each in another process when it is over."""

from __future__ import annotations

import asyncio
import contextlib
import json
import multiprocessing
import random
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import redis

from engine.server_program import find_program
from engine.store import Store
from tests import support
from tests.chaos.network import Link, network
from tests.chaos.site import site
from tests.histories.book import Call
from tests.histories.checker import Checker, Found
from tests.histories.clients import History
from tests.histories.http_checker import HttpChecker
from tests.histories.over_http import HttpHistory
from tests.lua import coverage

STORES = 2
"""Connections of the clients, as of two processes."""
WORKERS = 2
WAITING = 4
"""Histories that wait for a checker, before those that run have to."""


@dataclass(frozen=True)
class Plan:
    """How much is done. ``length``: operations of one history; ``beside``: histories at a time;
    ``lose_every``: of the operations of a client with a bad connection, one of so many loses its answer.

    No history begins after ``seconds``. The log of one that is wrong is written into ``folder``.
    """

    operations: int
    seed: int = 1
    clients: int = 16
    length: int = 4_000
    beside: int = 8
    checkers: int = 2
    lose_every: int = 100
    seconds: float = 3_600.0
    folder: Path | None = None

    def lengths(self) -> Iterator[int]:
        """Operations of each history."""
        for done in range(0, self.operations, self.length):
            yield min(self.length, self.operations - done)


Progress = Callable[[Found, float], None]


def run(plan: Plan, progress: Progress = lambda found, seconds: None) -> tuple[Found, float]:
    """What was found in all histories, and how many seconds the clients took.

    ``progress`` is told after each history.
    """
    context = multiprocessing.get_context("spawn")
    with (
        support.server(find_program()) as server,
        tempfile.TemporaryDirectory(prefix="jr") as folder,
        network(random.Random(plan.seed)) as links,
        ProcessPoolExecutor(plan.checkers, mp_context=context) as pool,
    ):
        between = links.before(server.socket, Path(folder) / "link")
        found = asyncio.run(_Run(plan, server, between, pool, progress).run())
        with server.client() as client:
            coverage.collect(client.execute_command)
        return found


class _Run:
    def __init__(
        self,
        plan: Plan,
        server: support.Server,
        between: Link,
        pool: ProcessPoolExecutor,
        progress: Progress,
    ) -> None:
        self._plan = plan
        self._server = server
        self._between = between
        self._pool = pool
        self._progress = progress
        self._found = Found()
        self._begun = self._busy_until = time.monotonic()
        self._coming = enumerate(plan.lengths())
        self._room = asyncio.Semaphore(WAITING)

    async def run(self) -> tuple[Found, float]:
        """Runs all histories."""
        async with self._stores() as (stores, flaky), asyncio.TaskGroup() as group:
            checks = [
                group.create_task(self._histories(group, stores, flaky)) for _ in range(self._plan.beside)
            ]
            await asyncio.gather(*checks)
        return self._found, self._busy_until - self._begun

    @contextlib.asynccontextmanager
    async def _stores(self) -> AsyncIterator[tuple[list[Store], Store]]:
        async with contextlib.AsyncExitStack() as stack:
            stores = []
            for url in (*(self._server.url,) * STORES, self._between.url):
                store = await Store.open(url)
                stack.push_async_callback(store.close)
                stores.append(store)
            yield stores[:-1], stores[-1]

    async def _histories(self, group: asyncio.TaskGroup, stores: list[Store], flaky: Store) -> None:
        for number, length in self._coming:
            if time.monotonic() > self._begun + self._plan.seconds:
                return
            seed = self._plan.seed + number
            lose, often = self._between.cut, self._plan.lose_every
            history = History(f"history-{seed}", seed, length, stores, flaky, lose, often)
            await history.run(self._plan.clients)
            self._busy_until = time.monotonic()
            await self._room.acquire()
            group.create_task(self._check(history))

    async def _check(self, history: History) -> None:
        try:
            loop = asyncio.get_running_loop()
            arguments = (str(self._server.socket), history.root, history.calls, self._plan.folder)
            self._found.add(await loop.run_in_executor(self._pool, check, *arguments))
        finally:
            self._room.release()
        self._progress(self._found, time.monotonic() - self._begun)


def run_http(plan: Plan, progress: Progress = lambda found, seconds: None) -> tuple[Found, float]:
    """The same over HTTP: one history after the other, on two API replicas, one badly connected."""
    found, busy, begun = Found(), 0.0, time.monotonic()
    for number, length in enumerate(plan.lengths()):
        if time.monotonic() > begun + plan.seconds:
            break
        with over_http(plan, plan.seed + number, length) as (server, history, seconds):
            busy += seconds
            found.add(check(str(server.socket), history.root, history.calls, plan.folder, HttpChecker))
        progress(found, time.monotonic() - begun)
    return found, busy


@contextlib.contextmanager
def over_http(plan: Plan, seed: int, length: int) -> Iterator[tuple[support.Server, HttpHistory, float]]:
    """One history over HTTP on a server of its own, over and at rest; and how many seconds it took."""

    async def lived(ports: list[int]) -> HttpHistory:
        store = await Store.open(server.url)
        try:
            history = HttpHistory("main", seed, length, [store], ports, support.KEY, between.cut)
            await history.run(plan.clients)
            return history
        finally:
            await store.close()

    with (
        support.server(find_program()) as server,
        tempfile.TemporaryDirectory(prefix="jr") as folder,
        network(random.Random(seed)) as links,
    ):
        between = links.before(server.socket, Path(folder) / "link")
        with site([server.url, between.url], [server.url] * WORKERS) as parts:
            begun = time.monotonic()
            history = asyncio.run(lived(parts.ports))
            seconds = time.monotonic() - begun
        yield server, history, seconds


def check(
    socket: str, root: str, calls: list[Call], folder: Path | None, kind: type[Checker] = Checker
) -> Found:
    """Checks one history and removes its router."""
    with redis.Redis(
        unix_socket_path=socket, decode_responses=True, encoding_errors="surrogateescape", socket_timeout=30
    ) as client:
        found = kind(client, root, calls).run()
        if found.mismatches and folder is not None:
            path = folder / f"{root.strip('jr:{}')}.jsonl"
            path.write_text("".join(f"{json.dumps(row)}\n" for row in _raw(client, root)))
            found.mismatches.append(f"{root}: its log is in {path}")
        for key in client.scan_iter(match=f"{root}*", count=1_000):
            client.unlink(key)
        return found


def _raw(client: Any, root: str) -> list[Any]:
    rows: list[Any] = client.xrange(f"{root}:oplog")
    return rows
