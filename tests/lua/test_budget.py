"""Every operation keeps to its budget of redis.calls."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from bench.entities import policy, queue
from bench.site import Site, site
from engine.library import library
from tests.budget import CALLS
from tests.lua import coverage
from tests.lua.scenarios import SCENARIOS, Scenario
from tests.tree.sources import OPERATIONS

START = 1_000_000_000


@pytest.fixture(name="own", scope="module")
def _own(server_program: Path) -> Iterator[Site]:
    """A server of our own: counting takes a server that nobody else uses."""
    with site(server_program) as it:
        yield it


@pytest.fixture(name="here")
def _here(own: Site) -> Iterator[Site]:
    """An empty router with a library that remembers nothing."""
    own.client.call("FLUSHALL")
    own.client.call("FUNCTION", "LOAD", "REPLACE", library().source)
    here = Site(own.client)
    here.now = START
    here.build([policy(), queue("empty")])
    yield here
    coverage.collect(own.client.call)


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
