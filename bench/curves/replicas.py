"""Whole lives over HTTP against API replicas: those of ``bench.load``, in its open loop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

from bench.curves.curve import Curve
from bench.load import calls
from bench.load.lives import rising
from bench.load.open_loop import Step
from bench.load.report import Found, at_half
from bench.load.stack import Size, stack

NAME = "API replicas"
SIZES = (1, 2, 3, 4)
FIRST_RATE, STEPS, STEP_SECONDS = 60.0, 8, 2.0
LONGEST_SECONDS = 40.0
"""Of one size; no step begins after that."""


def curve(folder: Path, sizes: tuple[int, ...], say: Callable[[str], None], steps: int = STEPS) -> Curve:
    """Rates that grow until one is not kept, for each number of replicas; logs go to the folder.

    Raises RuntimeError when a part does not start or ends by itself.
    """
    text = (
        "API replicas with one worker and a persistent store, and clients that take turns over them, all on "
        "this machine's processors: the highest rate that was achieved, and p99 of creates and whole lives "
        "from when they were due, at about half of it."
    )
    found = Curve(NAME, text, {})
    for size in sizes:
        say(f"{size} API replicas")
        with stack(Size(replicas=size, direct=True), folder) as running:
            rates = rising(
                *(running.targets, running.key, FIRST_RATE, steps, STEP_SECONDS, LONGEST_SECONDS), say
            )
            _note(found, size, asyncio.run(rates))
            running.processes.check()
    return found


def _note(curve: Curve, size: int, steps: list[Step]) -> None:
    rates = curve.panels.setdefault("life cycles a second", {}).setdefault("", [])
    rates.append((size, round(max(step.achieved for step in steps), 1)))
    half = at_half(Found(Size(), [], steps=steps))
    assert half
    times = curve.panels.setdefault("p99, ms", {})
    for name in (calls.CREATE, calls.LIFE):
        if name in half.operations and (p99 := half.operations[name].p99) is not None:
            times.setdefault(name, []).append((size, round(p99, 2)))
