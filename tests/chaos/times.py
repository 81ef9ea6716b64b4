"""Times that are promised, judged together with how late the machine let everybody be."""

from __future__ import annotations

from typing import NamedTuple

from tests.chaos.figures import Figures
from tests.chaos.proofs import Options
from tests.chaos.sleeper import Sleeper


class Promise(NamedTuple):
    """A time that was measured and what it may be at most, in seconds."""

    name: str
    seconds: float
    bound: float


class Times:
    """Times of one run, promised in full runs alone."""

    def __init__(self) -> None:
        self._promises: list[Promise] = []

    def note(self, name: str, seconds: float, bound: float) -> None:
        """A time that was measured while a process beside it only slept."""
        self._promises.append(Promise(name, seconds, bound))

    def judge(self, figures: Figures, options: Options, sleeper: Sleeper) -> None:
        """Tells them all. Each may exceed its bound by as much as the sleeper was late."""
        machine = sleeper.late_ms[-1] / 1000
        figures.tell("lateness of a process that only sleeps, most, s", machine)
        for name, seconds, bound in self._promises:
            if options.quick:
                figures.tell(name, seconds)
            else:
                figures.at_most(name, seconds, bound + machine)
