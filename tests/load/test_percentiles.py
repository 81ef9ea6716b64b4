"""Percentiles by nearest rank."""

from __future__ import annotations

import random

import msgspec
import pytest

from bench.load.percentiles import Summary, at


@pytest.mark.parametrize(
    ("percent", "expected"), [(0, 1), (1, 1), (1.5, 2), (50, 50), (95, 95), (99, 99), (99.1, 100), (100, 100)]
)
def test_of_a_hundred_each_percent_is_one_value(percent: float, expected: float) -> None:
    assert at(range(1, 101), percent) == expected


def test_of_few_the_high_ones_are_the_longest() -> None:
    assert [at([1.0, 7.0], percent) for percent in (50, 51, 99)] == [1.0, 7.0, 7.0]
    assert at([3.0], 99) == 3.0


def test_of_none_there_is_none() -> None:
    with pytest.raises(ValueError, match="no values"):
        at([], 50)
    summary = Summary.of([], failures=2)
    assert (summary.count, summary.failures, summary.p50, summary.longest) == (0, 2, None, None)
    # it is handed from process to process
    assert msgspec.json.decode(msgspec.json.encode(summary), type=Summary) == summary


def test_at_least_so_many_do_not_exceed_it() -> None:
    chance = random.Random(1)
    for size in range(1, 40):
        values = sorted(chance.random() for _ in range(size))
        for percent in (1, 50, 95, 99, 99.9):
            found = at(values, percent)
            assert sum(value <= found for value in values) >= size * percent / 100
            assert sum(value < found for value in values) < size * percent / 100


def test_a_summary_takes_any_order() -> None:
    summary = Summary.of([5.0, 1.0, 3.0], failures=1)
    assert summary == Summary(3, 1, 3.0, 5.0, 5.0, 5.0)
