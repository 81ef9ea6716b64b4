"""Requests a second of one process of the API and of several on one port, in turns, on all processors.

How much several give depends on the processors that the store and this program leave them.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterator

from bench.interface.rates import Found, Plan, Row, in_turns

WORKERS = 2
RATIO = "processes_2_per_1"


def measure(plan: Plan, say: Callable[[str], None]) -> Found:
    """The samples of one process and of two."""
    rows = {f"processes_{count}": Row("signed", workers=count) for count in (1, WORKERS)}
    return in_turns(rows, plan, say)


def ratios(found: Found) -> dict[str, float]:
    """Requests a second of several ÷ of one: the median of the ratios of one round each."""
    one, several = (found[name].values["per_s"] for name in found)
    return {RATIO: statistics.median(_divided(several, one))}


def _divided(values: list[float], by: list[float]) -> Iterator[float]:
    for value, other in zip(values, by, strict=True):
        yield value / other
