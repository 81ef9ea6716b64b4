"""What an explanation names is what is in the way: taken away, the offer appears, and not before."""

from __future__ import annotations

import random
from collections.abc import Iterator

import pytest

from tests.twin.driver import Driver, make
from tests.twin.model import Router
from tests.twin.removal import appears
from tests.twin.store import private_client

EPISODES = 12
STEPS = 50
PAIRS = 4


@pytest.fixture(scope="module")
def driver() -> Iterator[Driver]:
    with private_client() as client:
        yield Driver(client)


def some_pairs(r: Router, dice: random.Random) -> list[tuple[str, str]]:
    """Jobs and workers: some that have declined, and any."""
    jobs, workers = sorted(r.jobs), sorted(r.workers)
    if not jobs or not workers:
        return []
    declined = sorted((job.id, w) for job in r.jobs.values() for w in job.bars if not job.finished)
    found = [(dice.choice(jobs), dice.choice(workers)) for _ in range(PAIRS)]
    return [*dice.sample(declined, min(2, len(declined))), *found]


@pytest.mark.parametrize("seed", range(5_000, 5_000 + 6 * EPISODES, EPISODES))
def test_the_offer_appears_with_the_last_reason(driver: Driver, seed: int) -> None:
    found = 0
    for episode in range(seed, seed + EPISODES):
        pair, dice = driver.pair(thorough=False), random.Random(episode)
        for step in make(episode, STEPS):
            pair.take(step)
        found += sum(appears(pair, *one, dice) for one in some_pairs(pair.state, dice))
    assert found >= EPISODES // 2, "hardly any offer was brought about"
