"""What was refused, and why: each counted, and told in the log now and then."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from engine.metrics import Metrics

log = logging.getLogger("jobrouter.admission")

TOLD_SECONDS = 60.0
"""The shortest time between two lines of the log about one router and reason: thousands may be refused."""


class Refusals:
    """Counts refusals by router and reason."""

    def __init__(self, metrics: Metrics | None) -> None:
        self._metrics = metrics
        self._told: dict[tuple[str, str], float] = {}

    def note(self, tenant: str, reason: str, text: str) -> None:
        """One request was refused. ``reason`` is a word, ``text`` what it means."""
        if self._metrics is not None:
            self._metrics.refused(tenant, reason)
        now = time.monotonic()
        if now >= self._told.get((tenant, reason), now):
            self._told[tenant, reason] = now + TOLD_SECONDS
            log.warning("%s: requests are refused: %s", tenant, text, extra={"tenant": tenant})
