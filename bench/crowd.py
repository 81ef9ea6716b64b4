"""Several pipelining connections that work as one: their batches arrive side by side."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from bench.client import Batch, Client


class Crowd(Client):
    """Connections to a unix socket that take turns, each with up to two batches unanswered."""

    def __init__(self, path: Path, connections: int) -> None:
        super().__init__(path)
        self._all: list[Client] = [self]
        try:
            self._all += [Client(path) for _ in range(connections - 1)]
        except OSError:
            self.close()
            raise

    def close(self) -> None:
        """Closes all connections."""
        super().close()
        for other in self._all[1:]:
            other.close()

    def run(self, work: list[Batch]) -> list[Any]:
        """Sends the batches, their order kept on each connection alone; the replies in order."""
        replies: list[Any] = []
        window = 2 * len(self._all)
        for number, batch in enumerate(work):
            if number >= window:
                self._take(replies, work, number - window)
            self._all[number % len(self._all)].send(batch)
        for number in range(max(0, len(work) - window), len(work)):
            self._take(replies, work, number)
        return replies

    def _take(self, replies: list[Any], work: list[Batch], number: int) -> None:
        self._all[number % len(self._all)].receive(replies, work[number].commands)
