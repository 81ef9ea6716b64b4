"""All that is measured: populations, and the kinds of traffic through each.

Scenarios of one group are compared with each other: their servers live side by side, their rounds alternate.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from bench import populations as of
from bench.entities import classified, equal, job, region_and_skill
from bench.steps import Wave, busy, declined, idle, untaken
from engine.commands import JobCreate
from engine.model import Channel, Selector, json_text

WAVE = 160
EXPRESSION = "If(worker.region = job.region, 10, 0) + If(worker.skill = job.skill, 5, 1)"
"""Scores about as the default score does."""


@dataclass(frozen=True)
class Row:
    """One kind of traffic: what job has which number, and how its life goes, in waves of so many jobs."""

    name: str
    job: Callable[[int], JobCreate] = job
    wave: Wave = idle
    size: int = WAVE
    waves: int = 10


@dataclass(frozen=True)
class Scenario:
    """A population and the traffic that goes through it."""

    name: str
    build: of.Population
    rows: tuple[Row, ...]


def with_two_selectors(number: int) -> JobCreate:
    """A job that one of the 100 classes fits."""
    return job(number, equal(region_and_skill(number)))


def spread(queues: int) -> Callable[[int], JobCreate]:
    """Jobs that go round several queues."""
    names = of.queue_names(queues)
    return lambda number: job(number, queue=names[number % queues])


def on_channel(*channels: str) -> Callable[[int], JobCreate]:
    """Jobs that go round several channels."""
    return lambda number: job(number, channel=channels[number % len(channels)])


def scored(number: int) -> JobCreate:
    """A job whose labels decide which worker is best."""
    return job(number, labels=region_and_skill(number))


def named(number: int) -> dict[str, str | int | float | bool]:
    """Worker labels with a person's name in them: as many label sets as workers."""
    return {
        **of.with_level(number),
        "group": number % 10,
        "name": f"person-{number}",
        "grade": number % 10_000,
    }


def unnamed(number: int) -> dict[str, str | int | float | bool]:
    """The same without what is one's own: 100 label sets."""
    return {**of.with_level(number), "group": number % 10}


def _workers(count: int, name: str) -> Scenario:
    rows = (Row(name), Row(f"{name}_selectors", with_two_selectors))
    return Scenario(name, of.workers(count), rows)


def _all_busy(waiting: int, name: str) -> Scenario:
    rows = (Row(name, wave=busy), Row(f"{name}_elsewhere", on_channel(of.OTHER)))
    return Scenario(name, of.all_busy(1_000, waiting, cycling=WAVE), rows)


def _queues(count: int) -> Scenario:
    name = f"queues_{count}"
    return Scenario(name, of.workers(1_000, queues=count), (Row(name, spread(count), waves=5),))


def _mode(name: str, mode: str, *rows: Row, offers: int = 1) -> Scenario:
    return Scenario(name, of.workers(10_000, mode=mode, offers=offers), rows)


def _scored(name: str, count: int, expression: str = "") -> Scenario:
    population = of.workers(count, mode="bestWorker", scoring=expression)
    return Scenario(name, population, (Row(name, scored, waves=4),))


def _group(number: int) -> JobCreate:
    return job(number, equal({"group": number % 10}))


def _name(number: int) -> JobCreate:
    return job(number, equal({"name": f"person-{number * 7 % 10_000}"}))


def _grade(number: int) -> JobCreate:
    return job(number, [Selector("grade", ">=", json_text(9_940))])


def _teams(name: str, queues: int, label_sets: int) -> Scenario:
    rows = (Row(f"{name}_without", wave=untaken), Row(name, classified, wave=untaken))
    return Scenario(name, of.teams(queues, label_sets), rows)


THREE = [Channel(name, 1, 1) for name in ("voice", "chat", "mail")]

GROUPS: dict[str, tuple[Scenario, ...]] = {
    "workers": (
        _workers(1_000, "workers_1k"),
        _workers(10_000, "workers_10k"),
        _workers(100_000, "workers_100k"),
    ),
    "waiting": (_all_busy(0, "waiting_0"), _all_busy(1_000_000, "waiting_1m")),
    "unmatchable": (
        Scenario("unmatchable_0", of.behind(10_000, 0, of.nobody_speaks), (Row("unmatchable_0"),)),
        Scenario(
            "unmatchable_equality",
            of.behind(10_000, 100_000, of.nobody_speaks),
            (Row("unmatchable_equality"),),
        ),
        Scenario(
            "unmatchable_inequality",
            of.behind(10_000, 100_000, of.nobody_is_level),
            (Row("unmatchable_inequality"),),
        ),
    ),
    "labels": (
        Scenario(
            "label_sets_100",
            of.workers(10_000, labels=unnamed),
            (Row("label_sets_100"), Row("label_sets_100_group", _group)),
        ),
        Scenario(
            "label_sets_10k",
            of.workers(10_000, labels=named),
            (
                Row("label_sets_10k"),
                Row("label_sets_10k_group", _group),
                Row("label_sets_10k_name", _name, waves=3),
                Row("label_sets_10k_grade", _grade, size=32, waves=2),
            ),
        ),
    ),
    "queues": (_queues(1), _queues(10), _queues(50)),
    "modes": (
        _mode("longest_idle", "longestIdle", Row("longest_idle")),
        _mode(
            "round_robin",
            "roundRobin",
            Row("round_robin"),
            Row("round_robin_selectors", with_two_selectors, waves=4),
        ),
        _mode("best_worker", "bestWorker", Row("best_worker", scored, waves=4)),
        _mode("concurrent_10", "longestIdle", Row("concurrent_10", size=32, waves=5), offers=10),
        Scenario(
            "maxima",
            of.workers(10_000, channels=THREE, capacity=3),
            (Row("maxima", on_channel("voice", "chat", "mail"), waves=5),),
        ),
    ),
    "scoring": (
        _scored("scored_default", 100_000),
        _scored("scored_10k", 10_000, EXPRESSION),
        _scored("scored_100k", 100_000, EXPRESSION),
    ),
    "classification": (
        _teams("classification_3", 3, 3),
        _teams("classification_5k", 5_000, 100),
        _teams("classification_5k_sets", 5_000, 5_000),
    ),
    "declines": (
        Scenario(
            "declined_0", of.one_that_declines(0), (Row("declined_0", wave=declined, size=1, waves=20),)
        ),
        Scenario(
            "declined_1k", of.one_that_declines(1_000), (Row("declined_1k", wave=declined, size=1, waves=20),)
        ),
    ),
}
