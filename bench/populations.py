"""What stands in a router before traffic is measured. ``scale`` makes a number small in a smoke run."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from bench.entities import (
    CHANNEL,
    QUEUE,
    Labels,
    classification_policy,
    equal,
    job,
    policy,
    queue,
    region_and_skill,
    worker,
)
from bench.site import Site
from bench.steps import Steps
from engine.model import Channel, Selector, json_text

Scale = Callable[[int], int]
Population = Callable[[Site, Scale], Steps]

OTHER = "chat"
SIGNATURES = 1000


def workers(
    count: int,
    *,
    labels: Callable[[int], Labels] = region_and_skill,
    queues: int = 1,
    channels: Sequence[Channel] = (Channel(CHANNEL, 1),),
    capacity: int = 1,
    mode: str = "longestIdle",
    offers: int = 1,
    scoring: str = "",
) -> Population:
    """Free workers, each on all of the queues."""

    def build(site: Site, scale: Scale) -> Steps:
        names = queue_names(queues)
        site.build([policy(mode, mode, offers, scoring), *(queue(name, mode) for name in names)])
        make = partial(worker, queues=names, channels=channels, capacity=capacity)
        site.build(make(number, labels(number)) for number in range(scale(count)))
        return Steps(site)

    return build


def queue_names(count: int) -> list[str]:
    """The names of so many queues."""
    return [QUEUE] if count == 1 else [f"{QUEUE}-{number}" for number in range(count)]


def all_busy(count: int, waiting: int, *, cycling: int) -> Population:
    """Workers who all hold a job, jobs that wait for them, and as many free workers of another channel."""

    def build(site: Site, scale: Scale) -> Steps:
        steps = workers(count)(site, scale)
        held = []
        for start in range(0, scale(count), cycling):
            before = site.op()
            site.build(map(job, site.take_serials(min(cycling, scale(count) - start))))
            held += steps.accept(site.offers_since(before))
        steps.complete(held)
        steps.held = held[-cycling:]
        others = (
            worker(number, region_and_skill(number), prefix=OTHER, channels=[Channel(OTHER, 1)])
            for number in range(scale(count))
        )
        site.build(others)
        site.build(map(job, site.take_serials(scale(waiting))))
        return steps

    return build


def behind(count: int, unmatchable: int, selectors: Callable[[int], list[Selector]]) -> Population:
    """Free workers behind waiting jobs of 1,000 selector signatures that none of them fits."""

    def build(site: Site, scale: Scale) -> Steps:
        steps = workers(count, labels=with_level)(site, scale)
        numbers = site.take_serials(scale(unmatchable))
        site.build(job(number, selectors(number % scale(SIGNATURES))) for number in numbers)
        return steps

    return build


def with_level(number: int) -> Labels:
    """One of 100 classes, with a level from 1 to 5 that goes with the region."""
    return {**region_and_skill(number), "level": number % 5 + 1}


def nobody_speaks(number: int) -> list[Selector]:
    """Asks for a region that many have and for a language that nobody has."""
    language = Selector("language", "=", json_text(f"language-{number}"))
    return [*equal({"region": f"region-{number % 10}"}), language]


def nobody_is_level(number: int) -> list[Selector]:
    """Asks for a level above everybody's: one inequality, of a worker label that all have."""
    return [Selector("level", ">", str(10 + number))]


def one_that_declines(jobs: int) -> Population:
    """One worker who has declined so many jobs, which go on waiting."""

    def build(site: Site, scale: Scale) -> Steps:
        steps = workers(1)(site, lambda number: number)
        for number in site.take_serials(scale(jobs)):
            before = site.op()
            site.run(job(number))
            steps.decline(site.offers_since(before))
        return steps

    return build


def teams(queues: int, label_sets: int) -> Population:
    """Queues of teams, as many as there are label sets, and a classification policy that finds them."""

    def build(site: Site, scale: Scale) -> Steps:
        site.build([policy(), queue(), classification_policy()])
        labelled = ({"team": f"team-{number % label_sets}", "open": True} for number in range(scale(queues)))
        site.build(queue(f"team-{number}", labels=labels) for number, labels in enumerate(labelled))
        return Steps(site)

    return build
