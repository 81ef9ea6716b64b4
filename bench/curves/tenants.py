"""Many routers on one server: each wave of traffic meets another of them."""

from __future__ import annotations

import itertools

from bench.entities import policy, queue, region_and_skill, worker
from bench.meters import Cost
from bench.populations import Population, Scale
from bench.site import Site
from bench.steps import Steps

WORKERS = 20


class _TakingTurns(Steps):
    """Steps that go on to the next tenant whenever they begin anew."""

    def __init__(self, sites: list[Site]) -> None:
        super().__init__(sites[0])
        self._sites = itertools.cycle(sites)

    def restart(self) -> dict[str, Cost]:
        """What all steps have cost since the last restart."""
        self.site = next(self._sites)
        return super().restart()


def tenants(count: int) -> Population:
    """So many routers with 20 free workers each."""

    def build(site: Site, scale: Scale) -> Steps:
        sites = [Site(site.client, f"jr:{{tenant-{number}}}", site.url) for number in range(scale(count))]
        for first, one in zip(itertools.count(0, WORKERS), sites, strict=False):
            one.build([policy(), queue()])
            # neighbours have queues of the same name, but workers in other label classes
            one.build(worker(number, region_and_skill(first + number)) for number in range(WORKERS))
        return _TakingTurns(sites)

    return build
