"""50,000 seeded random steps on library and twin: equal replies, events and states, and a sound store."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.twin.driver import Driver
from tests.twin.store import private_client

LENGTHS = (60, 140, 200, 600, 1_000)
"""Steps of the episodes of one test: 2,000. Up to 200, everything is compared after each step."""


@pytest.fixture(scope="module")
def driver() -> Iterator[Driver]:
    with private_client() as client:
        yield Driver(client)


@pytest.fixture(scope="module")
def small_driver() -> Iterator[Driver]:
    with private_client(small=True) as client:
        yield Driver(client)


@pytest.mark.parametrize("seed", range(0, 80, 5))
def test_random_steps(driver: Driver, seed: int) -> None:
    for i, length in enumerate(LENGTHS):
        driver.episode(seed + i, length)


@pytest.mark.parametrize("seed", range(1_000, 1_045, 5))
def test_random_steps_with_small_bounds(small_driver: Driver, seed: int) -> None:
    for i, length in enumerate(LENGTHS):
        small_driver.episode(seed + i, length)
