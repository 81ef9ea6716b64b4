"""In random states, a job that is previewed and then created becomes what was told (see preview.problems)."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from engine import commands as c
from engine.errors import Refused
from tests.twin.driver import Difference, Driver, Pair, script
from tests.twin.episodes import Episode
from tests.twin.preview import is_due
from tests.twin.store import private_client

STEPS = 120


@pytest.fixture(scope="module")
def driver() -> Iterator[Driver]:
    with private_client() as client:
        yield Driver(client)


@pytest.fixture(scope="module")
def small_driver() -> Iterator[Driver]:
    with private_client(small=True) as client:
        yield Driver(client)


@pytest.mark.parametrize("seed", range(3_000, 3_006))
def test_preview_then_create(driver: Driver, seed: int) -> None:
    assert previewed(driver, seed) > STEPS / 2


@pytest.mark.parametrize("seed", range(4_000, 4_003))
def test_preview_then_create_with_small_bounds(small_driver: Driver, seed: int) -> None:
    assert previewed(small_driver, seed) > STEPS / 2


def previewed(driver: Driver, seed: int) -> int:
    """Creates a job after each of many random steps, and takes it away again; how many could be created."""
    maker, pair, count = Episode(seed), driver.pair(thorough=False), 0
    try:
        for step in [*maker.start(), *(maker.step() for _ in range(STEPS))]:
            pair.take(step)
            rest(pair)
            given = maker.job() | {"id": f"new{count}", "doc": 0, "mode": "queueAndMatch", "schedule_at": 0}
            # the driver previews what it creates
            if not isinstance(pair.run(c.JobCreate(**given), pair.state.now), Refused):  # type: ignore[arg-type]
                count += 1
                pair.run(c.JobCancel(given["id"]), pair.state.now)  # type: ignore[arg-type]
                pair.run(c.JobDelete(given["id"]), pair.state.now)  # type: ignore[arg-type]
    except Difference as difference:
        raise Difference(f"seed {seed}:\n{script(pair)}\n{difference}") from difference
    return count


def rest(pair: Pair) -> None:
    """Nothing is due any more: then a creation is all that happens."""
    while is_due(pair.state, pair.state.now):
        pair.run(c.AgendaDue(), pair.state.now)
