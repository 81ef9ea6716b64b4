"""The named scenarios: who acts, how often, and how they behave."""

from __future__ import annotations

import msgspec

from bench.load import calls
from bench.load.calls import Call

SKILL = "skill"
NOBODY = "nobody-has-this"


class Scenario(msgspec.Struct, frozen=True):
    """One kind of traffic. Shares are parts of all offers; ``jobs`` come in a second, from all submitters."""

    name: str
    tells: str
    jobs: float = 40.0
    submitters: int = 10
    agents: int = 20
    supervisors: int = 1
    declines: float = 0.0
    expires: float = 0.0
    offer_seconds: float = 60.0
    concurrent: int = 1
    burst_seconds: float = 0.0
    """0: jobs come evenly; else all of so many seconds come at once."""
    skills: int = 0
    """Idle workers with a label of their own each, beside the agents, who have one each, too."""
    backlog: int = 0
    """Jobs that wait before the run begins, and whom nobody fits."""

    @property
    def users(self) -> int:
        """All users of Locust."""
        return self.submitters + self.agents + self.supervisors

    @property
    def queue(self) -> str:
        """Each scenario has a queue of its own, so that none meets what another has left."""
        return f"load-{self.name}"

    def skill(self, agent: int) -> str:
        """The label of an agent, and of the jobs that only that one can take."""
        return f"{SKILL}-{agent}" if self.skills else ""

    def rules(self) -> list[Call]:
        """The policy and the queue, in the order in which they must be made."""
        return [
            calls.policy(self.queue, self.offer_seconds, self.concurrent),
            calls.queue(self.queue, self.queue),
        ]

    def population(self) -> list[Call]:
        """What stands there before the run begins, in any order."""
        idle = range(self.agents, self.agents + self.skills)
        waiting = range(self.backlog)
        return [
            *(calls.sign_on(f"{self.queue}-idle-{n}", self.queue, f"{SKILL}-{n}") for n in idle),
            *(calls.create(f"{self.queue}-waiting-{n}", self.queue, n, NOBODY) for n in waiting),
        ]


_ALL = (
    Scenario(
        "steady",
        "jobs come evenly; 5 % of all offers are declined, 1 % run out",
        declines=0.05,
        expires=0.01,
        offer_seconds=2,
    ),
    Scenario("burst", "the jobs of two seconds come at once", burst_seconds=2),
    Scenario("labels", "each job fits one agent of 20, among 500 idle workers with other labels", skills=500),
    Scenario("declined", "every agent declines every offer", jobs=4, submitters=2, declines=1.0),
    Scenario(
        "broadcast", "each job is offered to five agents at once; the first gets it", jobs=15, concurrent=5
    ),
    Scenario("backlog", "steady traffic behind 1,000 waiting jobs whom nobody fits", backlog=1000),
)
SCENARIOS = {scenario.name: scenario for scenario in _ALL}
