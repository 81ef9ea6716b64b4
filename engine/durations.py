"""Histograms of durations for what happens with every request: noted in a fraction of a microsecond.

Those of prometheus_client lock twice for each value, since any thread may note one. Here one thread notes,
and any may read.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from itertools import accumulate

from prometheus_client.core import HistogramMetricFamily, Metric
from prometheus_client.registry import Collector


class Series:
    """The durations of one set of labels, in seconds."""

    __slots__ = ("_bounds", "counts", "total")

    def __init__(self, bounds: Sequence[float]) -> None:
        self._bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        """How many were as long as each bound at most and longer than the one before; then those beyond."""
        self.total = 0.0

    def observe(self, seconds: float) -> None:
        """Notes one."""
        self.counts[bisect_left(self._bounds, seconds)] += 1
        self.total += seconds


class Durations(Collector):
    """A histogram with labels. Buckets are upper bounds, in seconds."""

    def __init__(self, name: str, about: str, labels: Sequence[str], buckets: Sequence[float]) -> None:
        self._family = (name, about)
        self._labels = labels
        self._buckets = tuple(buckets)
        self._names = [*(str(float(bound)) for bound in buckets), "+Inf"]
        self._series: dict[tuple[str, ...], Series] = {}

    def labels(self, *values: str) -> Series:
        """The series of these labels."""
        found = self._series.get(values)
        if found is None:
            found = self._series[values] = Series(self._buckets)
        return found

    def collect(self) -> Iterator[Metric]:
        """All series as they are now."""
        family = HistogramMetricFamily(*self._family, labels=self._labels)
        for labels, series in list(self._series.items()):
            counts = zip(self._names, accumulate(list(series.counts)), strict=True)
            family.add_metric(labels, list(counts), series.total)
        yield family
