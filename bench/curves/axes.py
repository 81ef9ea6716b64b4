"""What is varied in the library: populations of growing size, the same traffic through each."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from bench import populations as of
from bench.curves import latency
from bench.curves.curve import Curve, Verdict
from bench.curves.tenants import tenants
from bench.entities import equal, job
from bench.ratios import paired
from bench.rounds import Plan, Samples, measure
from bench.scenarios import Row, Scenario, spread
from bench.steps import Wave, busy, idle
from engine.commands import JobCreate
from engine.model import Scalar

SIZE = 80
"""Jobs in a wave: fewer than the smallest population has workers."""
TENANT_SIZE = 8
JOBS = 800
"""Jobs of a row in a round."""
QUICK_SIZES = 2

FLAT = 1.3
MANY_LABELS, FLAT_MANY_LABELS = 1_000, 2.0

Limit = Callable[[int], float]


@dataclass(frozen=True)
class Axis:
    """One thing that varies, in so many sizes; ``whole`` are sizes that take long, ``limit`` is how flat it
    must be at a size (none: plotted only)."""

    name: str
    text: str
    sizes: tuple[int, ...]
    scenario: Callable[[int], Scenario]
    whole: tuple[int, ...] = ()
    limit: Limit | None = None


def curve(axis: Axis, plan: Plan, whole: bool, say: Callable[[str], None]) -> Curve:
    """Measures one axis: its populations live side by side, their rounds alternate."""
    sizes = axis.sizes[:QUICK_SIZES] if plan.quick else axis.sizes + (axis.whole if whole else ())
    scenarios = {size: axis.scenario(size) for size in sizes}
    found = measure([*scenarios.values()], plan, say, latency.note)
    return of_samples(axis, scenarios, found)


def of_samples(axis: Axis, scenarios: Mapping[int, Scenario], found: Mapping[str, Samples]) -> Curve:
    """The curve of what was measured; the lines are those of the rows, by what stands before their size."""
    result = Curve(axis.name, axis.text, {})
    first = next(iter(scenarios.values()))
    for size, scenario in scenarios.items():
        for row, base in zip(scenario.rows, first.rows, strict=True):
            line, samples = _line(row), found[row.name]
            figures = {
                "life cycles a second": samples.median("lifecycle_per_s"),
                "server time of a life cycle, µs": samples.median(_time(samples)),
                "p99 of a call, ms": samples.median(latency.P99),
            }
            for panel, figure in figures.items():
                result.panels.setdefault(panel, {}).setdefault(line, []).append((size, round(figure, 3)))
            if axis.limit and row is not base:
                ratio, yardstick = (
                    round(paired(samples, found[base.name], step), 3) for step in ("lifecycle", "a20")
                )
                result.verdicts.append(Verdict(line or axis.name, size, ratio, axis.limit(size), yardstick))
    return result


def _time(samples: Samples) -> str:
    return "lifecycle_cpu_us" if all(samples.values["lifecycle_cpu_us"]) else "lifecycle_us"


def _line(row: Row) -> str:
    """What the line of a row is called in the legend."""
    return row.name.partition("@")[0]


def _scenario(
    size: int,
    population: of.Population,
    lines: Mapping[str, Callable[[int], JobCreate]] | None = None,
    *,
    wave: Wave = idle,
    jobs: int = SIZE,
) -> Scenario:
    """A population of one size, and for each line a row of waves of so many jobs."""
    made = (lines or {"": job}).items()
    rows = (Row(f"{line}@{size}", make, wave, jobs, JOBS // jobs) for line, make in made)
    return Scenario(f"{size:,}", population, tuple(rows))


def _of_class(classes: int) -> Callable[[int], dict[str, Scalar]]:
    return lambda number: {"class": number % classes}


def _fitting(classes: int, number: int) -> JobCreate:
    return job(number, equal({"class": number % classes}))


def _twenty_labels(number: int) -> dict[str, Scalar]:
    """Labels of which the first tells ten classes apart."""
    return {"class": number % 10, **{f"label-{k}": k for k in range(1, 20)}}


def _selecting(count: int, number: int) -> JobCreate:
    """A job that asks for so many of these labels."""
    return job(number, equal(dict([*_twenty_labels(number).items()][:count])))


def _label_classes(size: int) -> Scenario:
    lines: dict[str, Callable[[int], JobCreate]] = {
        "no selector": job,
        "one selector": functools.partial(_fitting, size),
    }
    return _scenario(size, of.workers(10_000, labels=_of_class(size)), lines)


def _selectors(size: int) -> Scenario:
    population = of.workers(1_000, labels=_twenty_labels)
    return _scenario(size, population, {"": functools.partial(_selecting, size)})


def _queues(size: int) -> Scenario:
    return _scenario(size, of.workers(1_000, queues=size), {"": spread(size)})


def _in_region(number: int) -> JobCreate:
    return job(number, equal({"region": f"region-{number % 10}"}))


ONE_OR_NO_SELECTOR: dict[str, Callable[[int], JobCreate]] = {"no selector": job, "one selector": _in_region}

AXES = {
    axis.name: axis
    for axis in (
        Axis(
            "workers",
            "Free workers in 100 label classes, one queue; jobs without selectors.",
            (100, 1_000, 10_000, 100_000),
            lambda size: _scenario(size, of.workers(size)),
            limit=lambda size: FLAT,
        ),
        Axis(
            "waiting jobs",
            "Jobs that wait for 1,000 busy workers: each close makes the next offer.",
            (0, 1_000, 10_000, 100_000),
            lambda size: _scenario(size, of.all_busy(1_000, size, cycling=SIZE), wave=busy),
            whole=(1_000_000,),
            limit=lambda size: FLAT,
        ),
        Axis(
            "label classes",
            "10,000 free workers in so many label classes; jobs without selectors, and with one for a class.",
            (1, 10, 100, 1_000, 10_000),
            _label_classes,
            limit=lambda size: FLAT if size <= MANY_LABELS else FLAT_MANY_LABELS,
        ),
        Axis(
            "selectors per job",
            "1,000 free workers with 20 labels in 10 label classes; each job asks for so many of them.",
            (0, 1, 2, 5, 10, 20),
            _selectors,
        ),
        Axis(
            "queues per worker",
            "1,000 free workers, each on so many queues; jobs go round these.",
            (1, 5, 10, 20, 50),
            _queues,
        ),
        Axis(
            "tenants",
            "Routers on one server with 20 free workers each; every eight jobs go to the next router.",
            (1, 10, 100, 1_000),
            lambda size: _scenario(size, tenants(size), ONE_OR_NO_SELECTOR, jobs=TENANT_SIZE),
            limit=lambda size: FLAT,
        ),
    )
}
