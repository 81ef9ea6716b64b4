"""Requests a second of the product and of the yardsticks, in interleaved rounds."""

from __future__ import annotations

import contextlib
import statistics
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from bench.interface.lives import STEPS, Lives, alike
from bench.interface.servers import PATH, PRODUCT, serving
from bench.interface.waves import CONNECTIONS, Crowd, Wave
from bench.meters import info
from bench.rounds import Samples, two_processors
from bench.site import site

ROWS = ("raw", "starlette", "unsigned", "signed")
"""In the order in which they take turns: each is next to what it is compared with."""


@dataclass(frozen=True)
class Plan:
    """How much: rounds, lives a round of each row, requests at once."""

    rounds: int = 7
    lives: int = 512
    at_once: int = CONNECTIONS


@dataclass(frozen=True)
class Row:
    """A server that is measured: what it runs, on which processor (None: any), in so many processes."""

    program: str
    cpu: int | None = None
    workers: int = 1


Found = dict[str, Samples]


def measure(plan: Plan, say: Callable[[str], None]) -> Found:
    """The samples of all rows.

    Each server has one processor, always the same; the store and this program take what is left.
    """
    cpus = two_processors()
    return in_turns({name: Row(name, cpus and cpus[0]) for name in ROWS}, plan, say)


def in_turns(rows: dict[str, Row], plan: Plan, say: Callable[[str], None]) -> Found:
    """The samples of these servers, which live side by side on one store and take turns."""
    found = {name: Samples(name) for name in rows}
    with contextlib.ExitStack() as stack:
        here = stack.enter_context(site())
        store = [int(info(here.client, "server")["process_id"])]
        lives = Lives(here, 2 * plan.lives)
        crowds: dict[str, Crowd] = {}
        for name, row in rows.items():
            served = stack.enter_context(serving(row.program, here.url, row.cpu, row.workers))
            crowd = Crowd(served.port, served.pids, store, plan.at_once)
            crowds[name] = stack.enter_context(contextlib.closing(crowd))
        for number in range(-1, plan.rounds):
            say("warming up" if number < 0 else f"round {number + 1}")
            for name, crowd in crowds.items():
                if rows[name].program in PRODUCT:
                    wave = lives.run(crowd, plan.lives)
                else:
                    wave, _ = crowd.run(alike(crowd.port, PATH, len(STEPS) * plan.lives))
                if number >= 0:
                    note(found[name], wave)
    return found


def note(samples: Samples, wave: Wave) -> None:
    """Notes a round."""
    samples.add("per_s", wave.requests / wave.seconds)
    samples.add("api_us", wave.api_ns / wave.requests / 1000)
    samples.add("store_us", wave.store_ns / wave.requests / 1000)
    samples.add("api_busy", wave.api_ns / wave.seconds / 1e9)
    samples.add("store_busy", wave.store_ns / wave.seconds / 1e9)
    if wave.api_ns:
        samples.add("per_cpu_s", 1e9 * wave.requests / wave.api_ns)


FIGURES = {"": "per_s", "_cpu": "per_cpu_s"}
COMPARED = {
    "lives_per_starlette": ("signed", "starlette"),
    "lives_per_raw": ("signed", "raw"),
    "signed_per_unsigned": ("signed", "unsigned"),
}


def ratios(found: Found) -> dict[str, float]:
    """Requests a second ÷ those of what a row is compared with: medians of the ratios of one round each.

    With ``_cpu`` the same for a second of the API's own processor time: what one process of it can do where
    nothing else holds it up, as a store that is busier than it.
    """
    values = {}
    for ending, figure in FIGURES.items():
        for name, (row, base) in COMPARED.items():
            values[name + ending] = statistics.median(_paired(found[row], found[base], figure))
    return values


def _paired(row: Samples, base: Samples, figure: str) -> Iterator[float]:
    for value, other in zip(row.values.get(figure, ()), base.values.get(figure, ()), strict=True):
        yield value / other


def table(found: Found) -> Iterator[str]:
    """One line a row."""
    titles = ("a second", "API's µs", "store's µs", "API busy", "store busy")
    figures = ("per_s", "api_us", "store_us", "api_busy", "store_busy")
    yield f"{'requests':24}" + "".join(f"{title:>12}" for title in titles)
    for name, samples in found.items():
        shown = (samples.median(figure) for figure in figures)
        yield f"{name:24}{{:12,.0f}}{{:12.1f}}{{:12.1f}}{{:12.0%}}{{:12.0%}}".format(*shown)
