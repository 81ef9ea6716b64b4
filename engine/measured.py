"""A store that measures its calls."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

from engine.commands import Command
from engine.connection import Connection
from engine.errors import Refused, Unavailable
from engine.store import Reply, Store

if TYPE_CHECKING:
    from engine.metrics import Metrics


class MeasuredStore(Store):
    """A store whose calls are counted and timed, each by its operation and how it ended."""

    def __init__(self, connection: Connection, metrics: Metrics) -> None:
        super().__init__(connection)
        self._metrics = metrics

    async def run(self, root: str, command: Command, now_ms: int = 0) -> Reply:
        """Runs one command, as Store does."""
        started, outcome = time.perf_counter(), "failed"
        try:
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
