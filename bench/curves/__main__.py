"""Measures and plots the scale curves: ``python -m bench.curves --help`` tells how."""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from bench import report as machines
from bench.command_line import add_server, say
from bench.curves import axes, growth, replicas, report
from bench.curves.axes import AXES
from bench.curves.curve import Curve
from bench.load.interrupts import interruptible
from bench.load.processes import ROOT
from bench.rounds import Plan, two_processors
from bench.site import site

NAMES = [replicas.NAME, *AXES, growth.NAME]


def main() -> int:
    """Measures, writes the report, prints the verdicts. Gives the exit status: 1 when something bends."""
    given = _arguments()
    folder = given.out or ROOT / ".curves" / time.strftime("%Y%m%d-%H%M%S")
    folder.mkdir(parents=True, exist_ok=True)
    try:
        with interruptible():
            found = _run(given, folder)
    except KeyboardInterrupt:
        print("ended before its time; everything that was started is gone", file=sys.stderr)
        return 130
    except RuntimeError as error:
        print(f"curves: {error}", file=sys.stderr)
        return 2
    paths = report.write(found, folder)
    print(report.conditions(found), *report.verdicts(found.curves), *paths, sep="\n")
    return 0 if found.flat else 1


def _run(given: argparse.Namespace, folder: Path) -> report.Found:
    plan = Plan(1 if given.quick else given.rounds, given.server, two_processors(), given.quick)
    with site(plan.program) as here:
        found = report.Found(machines.machine(here.client), plan.rounds, [os.getloadavg()[0]])
    for curve in _curves(given, plan, folder):
        found.curves.append(curve)
        # what is done is kept, should the rest be interrupted
        report.write(found, folder)
    found.load.append(os.getloadavg()[0])
    return found


def _curves(given: argparse.Namespace, plan: Plan, folder: Path) -> Iterator[Curve]:
    wanted = given.only or NAMES
    # first, as replicas may use all processors, and the rest leaves one to the server
    if replicas.NAME in wanted:
        yield replicas.curve(
            folder, replicas.SIZES[: 1 if given.quick else None], say, 1 if given.quick else replicas.STEPS
        )
    if plan.cpus:
        os.sched_setaffinity(0, {plan.cpus[1]})
    for name, axis in AXES.items():
        if name in wanted:
            say(f"measuring {name}")
            yield axes.curve(axis, plan, given.whole, say)
    if growth.NAME in wanted:
        yield growth.curve(plan, given.whole, say)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="bench.curves",
        description="Measures what a life cycle costs against the size of everything, plots it, and says "
        "which curves that must be flat are not (then the exit status is 1).",
    )
    parser.add_argument("--only", action="append", choices=NAMES, help="one of these; all by default")
    parser.add_argument(
        "--whole", action="store_true", help="also 1,000,000 waiting jobs and entities (minutes more)"
    )
    parser.add_argument("--quick", action="store_true", help="a smoke run: small populations, one round")
    parser.add_argument("--rounds", type=int, default=5, help="interleaved rounds, 5 by default")
    add_server(parser)
    parser.add_argument("--out", type=Path, help="folder of the report, by default a new one in .curves/")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
