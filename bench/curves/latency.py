"""Times of single calls, one at a time: what pipelined waves cannot tell."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

from bench.load.percentiles import at
from bench.rounds import Samples
from bench.scenarios import Row
from bench.site import Site
from bench.steps import Steps
from engine.commands import Command

CALLS = 320
"""In one round, about."""
P99 = "call_p99_ms"


class _OneByOne(Steps):
    """Steps whose calls wait for each other's replies."""

    def __init__(self, site: Site) -> None:
        super().__init__(site)
        self.times: list[float] = []

    def _phase(self, name: str, commands: Sequence[Command]) -> list[Any]:
        replies = []
        for work in self.site.packed(commands, depth=1):
            started = time.perf_counter()
            replies += self.site.client.run([work])
            self.times.append(time.perf_counter() - started)
        return replies


def note(row: Row, steps: Steps, samples: Samples) -> None:
    """Notes the time that one call in a hundred exceeds, from its sending to its reply, in milliseconds."""
    times: list[float] = []
    while len(times) < CALLS:
        steps.restart()
        one_by_one = _OneByOne(steps.site)
        one_by_one.held = steps.held
        row.wave(one_by_one, [row.job(number) for number in steps.site.take_serials(row.size)])
        steps.held = one_by_one.held
        times += one_by_one.times
    samples.add(P99, 1000 * at(sorted(times), 99))
