"""Tenants that call their queues alike do not make each other's calls dearer."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from bench.entities import equal, job, policy, queue, worker
from bench.site import Site

WORKERS = 40


def _tenant(empty: Site, name: str, mode: str) -> Site:
    """A router whose workers, each in a class of its own, are not those of another one."""
    here = Site(empty.client, f"jr:{{{name}}}")
    here.now = empty.now
    here.build([policy(mode, mode), queue(distribution=mode)])
    here.build(worker(n, {"name": f"{name}-{n}", "group": n % 10}) for n in range(WORKERS))
    return here


def _calls(sites: Sequence[Site]) -> list[float]:
    """The redis.calls of jobs that only the last workers fit, one a site, in turn."""
    found = []
    for here in sites:
        create = job(here.take_serials(1)[0], equal({"group": 9}), labels={})
        found.append(here.meter.run(here.packed([create]))[1].commands)
    return found


@pytest.mark.parametrize("mode", ["longestIdle", "bestWorker"])
def test_taking_turns_costs_as_much_as_alone(empty: Site, mode: str) -> None:
    one, other = (_tenant(empty, name, mode) for name in ("one", "other"))
    first, again = _calls([one, one])
    assert first > again, "nothing is remembered"
    _calls([other])
    assert _calls([one, other]) == [again, again]
