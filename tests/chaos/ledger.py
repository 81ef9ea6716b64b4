"""What a router has acknowledged to its clients, to be compared with what it has."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

RANKS = {"created": 0, "queued": 0, "assigned": 1, "completed": 2, "closed": 3}
"""How far a job has come, by the stages that are acknowledged and by the states that are read."""


class Ack(NamedTuple):
    """A success that a client was told of: when, by the monotonic clock, and how far the job had come."""

    at: float
    job: str
    stage: str
    assignment: str = ""


@dataclass
class Ledger:
    """What was acknowledged: each success, the last stage of each job, the assignment that was accepted.

    Many threads note in it; what they note of one job comes in the order of its life, but for its creation.
    """

    acks: list[Ack] = field(default_factory=list)
    stages: dict[str, str] = field(default_factory=dict)
    assignments: dict[str, str] = field(default_factory=dict)
    unexpected: list[Any] = field(default_factory=list)
    """Answers that the router should not have given."""
    interrupted: int = 0
    """Requests that were not answered, or with 503, and were repeated."""

    def note(self, job: str, stage: str, assignment: str = "") -> None:
        """A success has been answered."""
        self.acks.append(Ack(time.monotonic(), job, stage, assignment))
        if RANKS[self.stages.get(job, "created")] <= RANKS[stage]:
            self.stages[job] = stage
        if assignment:
            self.assignments[job] = assignment

    def closed(self) -> int:
        """How many life cycles are complete."""
        return sum(stage == "closed" for stage in list(self.stages.values()))

    def copy(self) -> Ledger:
        """What has been acknowledged until now."""
        return Ledger(list(self.acks), dict(self.stages), dict(self.assignments))

    def lost(self, jobs: Mapping[str, Mapping[str, Any]]) -> list[Ack]:
        """What was acknowledged and is not there: ``jobs`` by id, with ``status`` and ``assignment``."""
        return [ack for ack in self.acks if not _kept(ack, jobs.get(ack.job))]


def _kept(ack: Ack, job: Mapping[str, Any] | None) -> bool:
    if job is None or RANKS[job["status"]] < RANKS[ack.stage]:
        return False
    return not ack.assignment or job.get("assignment") == ack.assignment
