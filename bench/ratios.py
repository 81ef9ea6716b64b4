"""The figures that speed is judged by: where each comes from, its floor and its aim."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping
from typing import NamedTuple

from bench.rounds import Samples

Found = Mapping[str, Samples]


class Goal(NamedTuple):
    """What must be reached and what should be; ``more`` says that more is better."""

    floor: float
    aim: float
    more: bool = False

    def verdict(self, value: float) -> str:
        """Whether a value reaches the aim, the floor, or neither."""
        for level, word in ((self.aim, "aim"), (self.floor, "floor")):
            if (value >= level) if self.more else (value <= level):
                return word
        return "MISSED"

    def __str__(self) -> str:
        sign = "≥" if self.more else "≤"
        return f"{sign} {self.floor:g} / {self.aim:g}"


GOALS = {
    "lifecycles_per_a20": Goal(0.15, 0.20, more=True),
    "create_100k_workers": Goal(1.3, 1.1),
    "create_1m_waiting": Goal(1.3, 1.1),
    "two_selectors": Goal(1.6, 1.25),
    "close_behind_unmatchable": Goal(2, 1.2),
    "create_10k_label_sets": Goal(2, 1.3),
    "close_10k_label_sets": Goal(2, 1.3),
    "create_by_expression": Goal(2, 1.2),
    "create_by_expression_100k_workers": Goal(1.3, 1.1),
    "create_classified": Goal(1.6, 1.4),
    "create_classified_5k_queues": Goal(1.3, 1.1),
    "bytes_per_waiting_job": Goal(1400, 900),
    "pipelined_ping": Goal(6, 10, more=True),
    "expiry_lag_p99_ms": Goal(50, 20),
    "explain_ms": Goal(100, 10),
    "explain_call_ms": Goal(5, 2),
    "explain_10k_label_sets_call_ms": Goal(5, 2),
    "lives_per_starlette": Goal(1.3, 2, more=True),
    "lives_per_raw": Goal(0.35, 0.5, more=True),
    "signed_per_unsigned": Goal(0.93, 0.97, more=True),
    "lives_per_starlette_cpu": Goal(1.3, 2, more=True),
    "lives_per_raw_cpu": Goal(0.35, 0.5, more=True),
    "signed_per_unsigned_cpu": Goal(0.93, 0.97, more=True),
}


class Ratio(NamedTuple):
    """A ratio of measured rows: the rows that it needs, and how it is made of them."""

    rows: tuple[str, ...]
    value: Callable[[Found], float]


def _server_time(step: str, *pairs: tuple[str, str]) -> Ratio:
    """The server's time for a step of one row ÷ that of another; of several pairs the worst."""
    rows = tuple(row for pair in pairs for row in pair)
    return Ratio(rows, lambda found: max(paired(found[row], found[base], step) for row, base in pairs))


def paired(row: Samples, base: Samples, step: str) -> float:
    """The server's time for a step of one row ÷ that of another: the median of the ratios of one round each.

    What slows a whole round cancels out.
    """
    pairs = zip(_times(row, step), _times(base, step), strict=True)
    return statistics.median(time / other for time, other in pairs)


def _times(samples: Samples, step: str) -> list[float]:
    """Processor time where the system tells it, as other processes do not disturb it; else elapsed time."""
    times = samples.values[f"{step}_cpu_us"]
    return times if all(times) else samples.values[f"{step}_us"]


RATIOS = {
    "lifecycles_per_a20": Ratio(
        ("workers_10k",), lambda found: found["workers_10k"].median("lifecycles_per_a20")
    ),
    "create_100k_workers": _server_time("create", ("workers_100k", "workers_1k")),
    "create_1m_waiting": _server_time(
        "create", ("waiting_1m", "waiting_0"), ("waiting_1m_elsewhere", "waiting_0_elsewhere")
    ),
    "two_selectors": _server_time(
        "create",
        ("workers_1k_selectors", "workers_1k"),
        ("workers_10k_selectors", "workers_10k"),
        ("workers_100k_selectors", "workers_100k"),
    ),
    "close_behind_unmatchable": _server_time(
        "close", ("unmatchable_equality", "unmatchable_0"), ("unmatchable_inequality", "unmatchable_0")
    ),
    "create_10k_label_sets": _server_time("create", ("label_sets_10k", "label_sets_100")),
    "close_10k_label_sets": _server_time("close", ("label_sets_10k", "label_sets_100")),
    "create_by_expression": _server_time("create", ("scored_100k", "scored_default")),
    "create_by_expression_100k_workers": _server_time("create", ("scored_100k", "scored_10k")),
    "create_classified": _server_time("create", ("classification_3", "classification_3_without")),
    "create_classified_5k_queues": _server_time(
        "create", ("classification_5k", "classification_3"), ("classification_5k_sets", "classification_3")
    ),
}


def of(found: Found) -> dict[str, float]:
    """The ratios whose rows were measured."""
    return {
        name: round(ratio.value(found), 3)
        for name, ratio in RATIOS.items()
        if all(row in found for row in ratio.rows)
    }
