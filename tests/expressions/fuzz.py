"""python -m tests.expressions.fuzz --count N --seed S: hostile expressions, and the CPU time of the worst."""

from __future__ import annotations

import argparse
import heapq
import random
import statistics
import sys
import time
from collections import Counter
from typing import NamedTuple

from engine.commands import ExpressionEvaluate
from engine.expressions import BadExpression, compile_expression
from engine.model import members_text
from engine.server_program import find_program
from tests import support
from tests.expressions.hostile import RECORDS, sources

MOST_MS = 5.0
"""CPU time that reading and evaluating one expression may take."""

KEPT = 40
"""So many of the slowest are measured again."""

RUNS = 15
"""How often each."""


class Cost(NamedTuple):
    """CPU time in milliseconds."""

    read: float
    evaluate: float

    @property
    def total(self) -> float:
        return self.read + self.evaluate


class Fuzz:
    """Compiles and evaluates on one server."""

    def __init__(self, store: support.SyncStore) -> None:
        self.store = store
        self.kinds = Counter[str]()
        self.documents = {record: members_text(labels) for record, labels in RECORDS.items()}

    def run(self, source: str, spaces: int = 0) -> Cost:
        """Compiles and evaluates. With other spaces it is a text that the library has not seen."""
        begin = time.process_time()
        try:
            tree = compile_expression(source).text + " " * spaces
        except BadExpression:
            self.kinds["refused"] += 1
            return Cost((time.process_time() - begin) * 1e3, 0.0)
        read = (time.process_time() - begin) * 1e3
        before = self._server_ms()
        reply = self.store.run("jr:{fuzz}", ExpressionEvaluate(tree=tree, **self.documents))
        evaluate = self._server_ms() - before
        self.kinds[reply["kind"]] += 1
        return Cost(read, evaluate)

    def _server_ms(self) -> float:
        info = self.store.redis.info("cpu")
        return float(info["used_cpu_user"] + info["used_cpu_sys"]) * 1e3


def median_of(costs: list[Cost]) -> Cost:
    """The one with the median total."""
    middle = statistics.median_low([cost.total for cost in costs])
    return next(cost for cost in costs if cost.total == middle)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    slowest: list[tuple[float, int, str]] = []
    with support.server(find_program()) as server, server.client() as client:
        store = support.SyncStore(client)
        store.load()
        fuzz = Fuzz(store)
        for number, source in zip(range(given.count), sources(random.Random(given.seed)), strict=False):
            try:
                cost = fuzz.run(source)
            except Exception as error:
                print(f"crash: {error!r} by {source!r}")
                return 1
            heapq.heappush(slowest, (cost.total, number, source))
            if len(slowest) > KEPT:
                heapq.heappop(slowest)
        print(
            f"{given.count} expressions:", ", ".join(f"{n} {kind}" for kind, n in sorted(fuzz.kinds.items()))
        )
        medians = [(median_of([fuzz.run(text, run) for run in range(RUNS)]), text) for *_, text in slowest]
    cost, source = max(medians, key=lambda found: found[0].total)
    print(f"CPU time of the worst, median of {RUNS} runs: {cost.total:.2f} ms", end=" ")
    print(f"({cost.read:.2f} to read, {cost.evaluate:.2f} to evaluate): {source!r}")
    return 1 if cost.total > MOST_MS else 0


if __name__ == "__main__":
    sys.exit(main())
