"""Fifty clients that do something at the same moment."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from tests.signed import Caller
from tests.support import PATIENCE_SECONDS, Served

T = TypeVar("T")

SIZE = 50


class Crowd:
    """Clients with a connection each, opened before they start together."""

    def __init__(self, replicas: Sequence[Served]) -> None:
        self.callers = [Caller(it.url, it.key) for i in range(SIZE) for it in [replicas[i % len(replicas)]]]

    def at_once(self, work: Callable[[Caller, int], T]) -> list[T]:
        """What each client has got: all wait for each other before they begin."""
        barrier = threading.Barrier(SIZE)

        def one(number: int) -> T:
            caller = self.callers[number]
            caller.connect()
            barrier.wait(PATIENCE_SECONDS)
            return work(caller, number)

        with ThreadPoolExecutor(SIZE) as pool:
            return list(pool.map(one, range(SIZE)))

    def __enter__(self) -> Crowd:
        return self

    def __exit__(self, *_: object) -> None:
        for caller in self.callers:
            caller.close()
