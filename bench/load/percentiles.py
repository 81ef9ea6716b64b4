"""Percentiles by nearest rank: each is a time that was really measured, none is made up between two."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

import msgspec


def at(ascending: Sequence[float], percent: float) -> float:
    """The least value that at least so many percent of all do not exceed. Raises ValueError without any."""
    if not ascending:
        raise ValueError("there are no values")
    return ascending[max(1, math.ceil(len(ascending) * percent / 100)) - 1]


class Summary(msgspec.Struct, frozen=True):
    """One operation's times in milliseconds; ``count`` of all that succeeded, ``failures`` beside them.
    Without any there are no times."""

    count: int
    failures: int = 0
    p50: float | None = None
    p95: float | None = None
    p99: float | None = None
    longest: float | None = None

    @classmethod
    def of(cls, times_ms: Iterable[float], failures: int = 0) -> Summary:
        """The summary of any number of times, none included."""
        ordered = sorted(times_ms)
        if not ordered:
            return cls(0, failures)
        return cls(len(ordered), failures, *(at(ordered, percent) for percent in (50, 95, 99)), ordered[-1])
