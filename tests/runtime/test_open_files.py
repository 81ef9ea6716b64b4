"""A worker asks for as many open files as its calls may need."""

from __future__ import annotations

import resource
from collections.abc import Iterator

import pytest

from engine.open_files import allow

LOW = 512


@pytest.fixture
def hard() -> Iterator[int]:
    """The most that the system lets us have; the present limit is low while the test runs."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (LOW, before[1]))
    yield before[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, before)


def soft() -> int:
    return resource.getrlimit(resource.RLIMIT_NOFILE)[0]


def test_a_low_limit_is_raised(hard: int) -> None:
    assert allow(LOW + 100) == soft() == LOW + 100


def test_a_higher_one_is_left(hard: int) -> None:
    assert allow(LOW - 100) == soft() == LOW


@pytest.mark.skipif(
    resource.getrlimit(resource.RLIMIT_NOFILE)[1] == resource.RLIM_INFINITY, reason="there is no limit here"
)
def test_the_system_has_the_last_word(hard: int) -> None:
    assert allow(hard + 1) == soft() == hard
