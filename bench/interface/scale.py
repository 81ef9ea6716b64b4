"""Requests a second of one process of the API and of several on one port, in turns, on all processors.

How much several give depends on the processors that the store and this program leave them.
"""

from __future__ import annotations

import contextlib
import statistics
from collections.abc import Callable, Iterator

from bench.interface.lives import Lives
from bench.interface.rates import Found, Plan, note
from bench.interface.servers import serving
from bench.interface.waves import Crowd
from bench.meters import info
from bench.rounds import Samples
from bench.site import site

WORKERS = 2
RATIO = "processes_2_per_1"


def measure(plan: Plan, say: Callable[[str], None]) -> Found:
    """The samples of one process and of two."""
    rows = {f"processes_{count}": count for count in (1, WORKERS)}
    found = {name: Samples(name) for name in rows}
    with contextlib.ExitStack() as stack:
        here = stack.enter_context(site())
        store = [int(info(here.client, "server")["process_id"])]
        lives = Lives(here, 2 * plan.lives)
        crowds: dict[str, Crowd] = {}
        for name, count in rows.items():
            served = stack.enter_context(serving("signed", here.url, workers=count))
            crowd = Crowd(served.port, served.pids, store, plan.at_once)
            crowds[name] = stack.enter_context(contextlib.closing(crowd))
        for number in range(-1, plan.rounds):
            say("warming up" if number < 0 else f"round {number + 1}")
            for name, crowd in crowds.items():
                wave = lives.run(crowd, plan.lives)
                if number >= 0:
                    note(found[name], wave)
    return found


def ratios(found: Found) -> dict[str, float]:
    """Requests a second of several ÷ of one: the median of the ratios of one round each."""
    one, several = (found[name].values["per_s"] for name in found)
    return {RATIO: statistics.median(_divided(several, one))}


def _divided(values: list[float], by: list[float]) -> Iterator[float]:
    for value, other in zip(values, by, strict=True):
        yield value / other
