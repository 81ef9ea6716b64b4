"""The steps of a job's life, each as one measured phase over a wave of jobs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from bench.meters import Cost
from bench.site import Offer, Site, reply
from engine.commands import (
    AssignmentClose,
    AssignmentComplete,
    Command,
    JobCancel,
    JobCreate,
    OfferAccept,
    OfferDecline,
)


class Held(NamedTuple):
    """A job in the hands of a worker."""

    job: str
    assignment: str


class Steps:
    """Notes what each step costs. ``held`` are the completed jobs whose workers wait to be freed."""

    def __init__(self, site: Site) -> None:
        self.site = site
        self.held: list[Held] = []
        self.costs: dict[str, Cost] = {}

    def restart(self) -> dict[str, Cost]:
        """What all steps have cost since the last restart."""
        costs, self.costs = self.costs, {}
        return costs

    def create(self, jobs: Sequence[JobCreate]) -> None:
        """Creates jobs."""
        self._phase("create", jobs)

    def accept(self, offers: Sequence[Offer]) -> list[Held]:
        """Accepts offers."""
        replies = self._phase("accept", [OfferAccept(offer.worker_id, offer.offer_id) for offer in offers])
        return [Held(taken["job"], taken["assignment"]) for taken in map(reply, replies)]

    def complete(self, held: Sequence[Held]) -> None:
        """Completes jobs."""
        self._phase("complete", [AssignmentComplete(*one) for one in held])

    def close(self, held: Sequence[Held]) -> None:
        """Closes jobs."""
        self._phase("close", [AssignmentClose(*one) for one in held])

    def decline(self, offers: Sequence[Offer]) -> None:
        """Declines offers for good."""
        self._phase("decline", [OfferDecline(offer.worker_id, offer.offer_id) for offer in offers])

    def cancel(self, jobs: Sequence[JobCreate]) -> None:
        """Cancels jobs."""
        self._phase("cancel", [JobCancel(job.id) for job in jobs])

    def _phase(self, name: str, commands: Sequence[Command]) -> list[Any]:
        replies, cost = self.site.meter.run(self.site.packed(commands))
        self.costs[name] = self.costs.get(name, Cost()).plus(cost)
        return replies


Wave = Callable[[Steps, Sequence[JobCreate]], None]


def idle(steps: Steps, jobs: Sequence[JobCreate]) -> None:
    """Whole lives while workers are free: the create makes the offer."""
    before = steps.site.op()
    steps.create(jobs)
    held = steps.accept(_one_each(steps.site.offers_since(before)))
    steps.complete(held)
    steps.close(held)


def busy(steps: Steps, jobs: Sequence[JobCreate]) -> None:
    """Whole lives while all workers are busy: the job waits, and a close makes the next offer."""
    before = steps.site.op()
    steps.create(jobs)
    steps.close(steps.held)
    steps.held = steps.accept(_one_each(steps.site.offers_since(before)))
    steps.complete(steps.held)


def declined(steps: Steps, jobs: Sequence[JobCreate]) -> None:
    """Jobs that nobody takes."""
    before = steps.site.op()
    steps.create(jobs)
    steps.decline(steps.site.offers_since(before))
    steps.cancel(jobs)


def untaken(steps: Steps, jobs: Sequence[JobCreate]) -> None:
    """Jobs that nobody is there for."""
    steps.create(jobs)
    steps.cancel(jobs)


def _one_each(offers: Sequence[Offer]) -> list[Offer]:
    """The first offer of each job."""
    return list({offer.job_id: offer for offer in reversed(offers)}.values())[::-1]
