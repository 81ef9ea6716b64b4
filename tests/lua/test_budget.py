"""Every operation keeps to its budget of redis.calls."""

from __future__ import annotations

import pytest

from bench.entities import policy, queue
from bench.site import Site
from tests.budget import CALLS
from tests.lua.scenarios import SCENARIOS, Scenario
from tests.tree.sources import OPERATIONS


@pytest.fixture(name="here")
def _here(empty: Site) -> Site:
    empty.build([policy(), queue("empty")])
    return empty


@pytest.mark.parametrize("name", sorted(SCENARIOS))
def test_calls(here: Site, name: str) -> None:
    counts = [_count(here, SCENARIOS[name]) for _ in range(2)]
    assert counts[-1] <= CALLS[name]


def test_every_operation_has_a_budget() -> None:
    assert set(OPERATIONS) == {name.partition("__")[0] for name in SCENARIOS}
    assert set(SCENARIOS) == set(CALLS)


def _count(here: Site, prepare: Scenario) -> int:
    command = prepare(here)
    _, cost = here.meter.run(here.packed([command]))
    return int(cost.commands)
