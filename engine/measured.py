"""A store that measures its calls."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING

from engine.commands import Command
from engine.errors import Refused, Unavailable
from engine.servers import Servers
from engine.store import Reply, Store

if TYPE_CHECKING:
    from engine.metrics import Metrics


Spans = Callable[[str], AbstractContextManager[None]]


class MeasuredStore(Store):
    """A store whose calls are counted and timed, each by its operation and how it ended.

    ``spans`` is entered around each call, with its operation.
    """

    def __init__(self, servers: Servers, metrics: Metrics, spans: Spans | None = None) -> None:
        super().__init__(servers)
        self._metrics = metrics
        self._spans = spans

    async def run(self, root: str, command: Command, now_ms: int = 0) -> Reply:
        """Runs one command, as Store does."""
        started, outcome = time.perf_counter(), "failed"
        try:
            if self._spans is None:
                reply = await super().run(root, command, now_ms)
            else:
                with self._spans(command.function):
                    reply = await super().run(root, command, now_ms)
            outcome = "ok"
            return reply
        except Refused:
            outcome = "refused"
            raise
        except Unavailable:
            outcome = "unavailable"
            raise
        except asyncio.CancelledError:
            outcome = "abandoned"
            raise
        finally:
            self._metrics.call(command.function, outcome, time.perf_counter() - started)
