"""Interleaved rounds over the scenarios of a group, and the samples that they give."""

from __future__ import annotations

import contextlib
import functools
import os
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from bench import meters, yardsticks
from bench.meters import Cost
from bench.scenarios import Row, Scenario
from bench.site import site
from bench.steps import Steps

YARDSTICKS = {"a0": "bench_empty", "a20": "bench_mixed"}
YARDSTICK_CALLS = 320
SLOW_RUNS = 3


@dataclass(frozen=True)
class Plan:
    """How to measure: rounds, processors, size. ``scale`` makes the numbers of a smoke run small."""

    rounds: int = 5
    program: Path | None = None
    cpus: tuple[int, int] | None = None
    quick: bool = False

    def scale(self, number: int) -> int:
        """A number of entities, or a small one."""
        return min(number, 200) if self.quick else number

    @property
    def server_cpu(self) -> int | None:
        """The processor that the server has for itself."""
        return self.cpus[0] if self.cpus else None


@dataclass
class Samples:
    """One value a round of each thing measured in a row: ``create_us``, ``create_calls`` and so on."""

    row: str
    values: dict[str, list[float]] = field(default_factory=dict)

    def add(self, name: str, value: float) -> None:
        """Notes a round's value."""
        self.values.setdefault(name, []).append(value)

    def median(self, name: str) -> float:
        """The middle of all rounds."""
        return statistics.median(self.values[name])

    def medians(self) -> dict[str, float]:
        """The middle of everything."""
        return {name: round(self.median(name), 4) for name in self.values}


def measure(
    group: Sequence[Scenario],
    plan: Plan,
    say: Callable[[str], None],
    also: Callable[[Row, Steps, Samples], None] = lambda row, steps, samples: None,
) -> dict[str, Samples]:
    """The samples of all rows of a group; its servers live side by side and take turns.

    ``also`` measures what else is wanted of a row, at the end of each of its rounds.
    """
    found = {row.name: Samples(row.name) for scenario in group for row in scenario.rows}
    with contextlib.ExitStack() as stack:
        living: list[tuple[Scenario, Steps]] = []
        for scenario in group:
            say(f"building {scenario.name}")
            steps = scenario.build(stack.enter_context(site(plan.program, plan.server_cpu)), plan.scale)
            living.append((scenario, steps))
        for number in range(-1, plan.rounds):
            say("warming up" if number < 0 else f"round {number + 1}")
            for scenario, steps in living:
                for row in scenario.rows:
                    samples = found[row.name] if number >= 0 else Samples(row.name)
                    _round(row, steps, samples, plan)
                    also(row, steps, samples)
    return found


def _round(row: Row, steps: Steps, samples: Samples, plan: Plan) -> None:
    """One round: waves and yardsticks in turn. The middle of its waves is the round's value."""
    waves = Samples(row.name)
    for _ in range(1 if plan.quick else row.waves):
        for name, function in YARDSTICKS.items():
            _note(waves, name, yardsticks.measure(steps.site.meter, function, YARDSTICK_CALLS))
        steps.restart()
        row.wave(steps, [row.job(number) for number in steps.site.take_serials(row.size)])
        costs = steps.restart()
        for name, cost in costs.items():
            _note(waves, name, cost)
        total = functools.reduce(Cost.plus, costs.values())
        _note(waves, "lifecycle", total._replace(calls=costs["create"].calls))
    for name in waves.values:
        samples.add(name, waves.median(name))
    samples.add("lifecycles_per_a20", waves.median("lifecycle_per_s") / waves.median("a20_per_s"))
    if steps.site.meter.tells_processor:
        samples.add("lifecycles_per_a20_cpu", waves.median("a20_cpu_us") / waves.median("lifecycle_cpu_us"))
    steps.site.forget_events()


def _note(samples: Samples, name: str, cost: Cost) -> None:
    if cost.calls:
        samples.add(f"{name}_calls", cost.commands / cost.calls)
        samples.add(f"{name}_us", cost.microseconds / cost.calls)
        samples.add(f"{name}_cpu_us", cost.processor_ns / cost.calls / 1000)
        samples.add(f"{name}_per_s", cost.calls / cost.seconds)


def slow_operations(scenario: Scenario, plan: Plan) -> dict[str, float]:
    """Function → milliseconds of those that took over 5 ms in each of three runs on fresh servers."""
    slowest: dict[str, float] | None = None
    for _ in range(SLOW_RUNS):
        with site(plan.program, plan.server_cpu) as here:
            steps = scenario.build(here, plan.scale)
            for row in scenario.rows:
                _round(row, steps, Samples(row.name), plan)
            slow = meters.slow_calls(here.client)
        if slowest is not None:
            slow = {name: min(slowest[name], ms) for name, ms in slow.items() if name in slowest}
        slowest = slow
        if not slowest:
            break
    return slowest or {}


def two_processors() -> tuple[int, int] | None:
    """A processor for the server and one for the client, where the system lets us choose."""
    if not hasattr(os, "sched_getaffinity"):
        return None
    able = sorted(os.sched_getaffinity(0))
    return (able[0], able[1]) if len(able) > 1 else None
