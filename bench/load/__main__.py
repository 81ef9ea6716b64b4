"""Runs a bounded load and writes the report: ``python -m bench.load --help`` tells how."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import subprocess
import sys
import time
from pathlib import Path

import msgspec

from bench.command_line import say
from bench.load import report
from bench.load.interrupts import interruptible
from bench.load.lives import rising
from bench.load.plan import Figures, Plan
from bench.load.processes import ROOT
from bench.load.report import Found
from bench.load.scenarios import SCENARIOS, Scenario
from bench.load.stack import Size, Stack, stack

LONGEST_SECONDS = 600.0
CLOSED_SHARE = 0.6
"""Scenarios begin within this part of the time; the rest is for the open loop."""

SPARE_SECONDS = 30.0
"""How long Locust may take to start and make the world, and how long to end."""


def main() -> int:
    """Runs, prints where the report is. Gives the exit status."""
    given = _arguments()
    folder = given.out or ROOT / ".load" / time.strftime("%Y%m%d-%H%M%S")
    folder.mkdir(parents=True, exist_ok=True)
    size = Size(given.replicas, given.workers, given.redis_url, given.direct)
    try:
        with interruptible():
            found = run(given, size, folder)
    except KeyboardInterrupt:
        print("ended before its time; everything that was started is gone", file=sys.stderr)
        return 130
    except RuntimeError as error:
        print(f"load: {error}", file=sys.stderr)
        return 1
    # the address of the store may hold a password
    found.size = msgspec.structs.replace(found.size, redis_url="given" if found.size.redis_url else "")
    paths = report.write(found, folder)
    print(paths[0].read_text())
    print(*paths, sep="\n")
    return 0


def run(given: argparse.Namespace, size: Size, folder: Path) -> Found:
    """All scenarios that were asked for, and the open loop, on one deployment."""
    found = Found(size, [os.getloadavg()[0]])
    started = time.monotonic()
    with stack(size, folder) as running:
        for name in given.scenario:
            if time.monotonic() - started > CLOSED_SHARE * given.at_most:
                found.left_out.append(name)
                continue
            say(f"closed loop: {name}")
            found.closed[name] = locust(running, SCENARIOS[name], given.seconds, folder)
            running.processes.check()
        if given.steps:
            left = given.at_most - (time.monotonic() - started)
            rates = rising(
                running.targets, running.key, given.rate, given.steps, given.step_seconds, left, say
            )
            found.steps = asyncio.run(rates)
            running.processes.check()
    found.load.append(os.getloadavg()[0])
    return found


def locust(running: Stack, scenario: Scenario, seconds: float, folder: Path) -> Figures:
    """One run of Locust, which is bounded in time. Raises RuntimeError when it does not end well."""
    file, name = folder / f"locust-{scenario.name}.json", f"locust-{scenario.name}"
    plan = Plan(scenario, running.key, running.targets, seconds, str(file))
    command = [
        *(sys.executable, "-m", "locust", "-f", str(ROOT / "bench" / "locustfile.py")),
        *("--headless", "--only-summary", "--skip-log-setup", "--exit-code-on-error", "0"),
        *("--users", str(scenario.users), "--spawn-rate", str(scenario.users)),
        *(
            "--run-time",
            f"{seconds + SPARE_SECONDS:g}s",
            "--stop-timeout",
            "0",
            "--html",
            str(folder / f"{name}.html"),
        ),
    ]
    process = running.processes.start(name, command, {**plan.variables(), "PYTHONPATH": str(ROOT)})
    try:
        status = process.wait(seconds + 2 * SPARE_SECONDS)
    except subprocess.TimeoutExpired:
        raise RuntimeError(f"Locust did not end in time: see {name}.log in the report") from None
    running.processes.forget(name)
    if status or not file.exists():
        raise RuntimeError(f"Locust has ended with {status}: see {name}.log in the report")
    return msgspec.json.decode(file.read_bytes(), type=Figures)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="bench.load", description="Puts a bounded load on a whole deployment, and writes a report."
    )
    parser.add_argument("--replicas", type=_whole, default=2, help="API replicas, 2 by default")
    parser.add_argument("--workers", type=_whole, default=1, help="workers, 1 by default")
    parser.add_argument(
        "--redis-url", default="", help="a store of yours; by default a private server, as the embedded one"
    )
    parser.add_argument(
        "--direct", action="store_true", help="without HAProxy: clients take turns over the replicas"
    )
    parser.add_argument(
        "--scenario",
        action="append",
        choices=[*SCENARIOS, "none"],
        help="in the closed loop; all by default. "
        + "; ".join(f"{s.name}: {s.tells}" for s in SCENARIOS.values()).replace("%", "%%"),
    )
    parser.add_argument("--seconds", type=_seconds, default=5.0, help="of each scenario, 5 by default")
    parser.add_argument("--rate", type=_rate, default=25.0, help="jobs a second of the first open step, 25")
    parser.add_argument(
        "--steps", type=_steps, default=8, help="rates in the open loop at most, each 1.6 times the last, 8"
    )
    parser.add_argument("--step-seconds", type=_seconds, default=3.0, help="of each rate, 3 by default")
    parser.add_argument(
        "--at-most",
        type=_seconds,
        default=100.0,
        metavar="SECONDS",
        help="what is not begun then is left out, 100 by default",
    )
    parser.add_argument("--out", type=Path, help="folder of the report, by default a new one in .load/")
    given = parser.parse_args()
    names = given.scenario or list(SCENARIOS)
    given.scenario = [name for name in names if name != "none"]
    return given


def _whole(text: str) -> int:
    return _whole_between(text, 1, 64)


def _steps(text: str) -> int:
    return _whole_between(text, 0, 20)


def _seconds(text: str) -> float:
    return _between(text, 0.5, LONGEST_SECONDS)


def _rate(text: str) -> float:
    return _between(text, 1, 10_000)


def _whole_between(text: str, least: int, most: int) -> int:
    if text.isascii() and text.isdigit() and least <= int(text) <= most:
        return int(text)
    raise argparse.ArgumentTypeError(f"must be a whole number from {least} to {most}")


def _between(text: str, least: float, most: float) -> float:
    with contextlib.suppress(ValueError):
        if least <= float(text) <= most:
            return float(text)
    raise argparse.ArgumentTypeError(f"must be a number from {least:g} to {most:g}")


if __name__ == "__main__":
    sys.exit(main())
