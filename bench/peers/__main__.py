"""Measures the router beside its peers: ``python -m bench.peers --help`` tells how."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterable
from pathlib import Path

from bench import report
from bench.command_line import add_json, say, tell_machine, write_json
from bench.peers import contest
from bench.peers.contest import GOALS, PEERS
from bench.ratios import Found
from bench.rounds import Plan, Samples, two_processors
from bench.site import site

APPEND_ONLY = "append-only"
NAMES = [*PEERS, APPEND_ONLY]
COLUMNS = {
    "cycles_per_s": "cycles/s",
    "redis_us": "Redis µs",
    "command_us": "in commands",
    "sent": "sent",
    "inside": "inside",
}
DEBIAN = Path("/usr/bin/redis-server")
HEAD = (
    "Of one full cycle (a job created, given out, completed, closed or removed): Redis µs is processor time "
    "of the server's main thread, with reading, parsing and answering; in commands is the server's own count "
    "of the commands that clients send; sent and inside are their number, and that of redis.calls in them."
)


def main() -> int:
    """Measures what was asked for, prints the tables, writes the JSON. Gives the exit status."""
    given = _arguments()
    # the peers' processes inherit the client's processor
    cpus = two_processors()
    plan = Plan(1 if given.quick else given.rounds, _program(given), cpus, given.quick)
    if cpus:
        os.sched_setaffinity(0, {cpus[1]})
    wanted = given.only or NAMES
    load = [os.getloadavg()[0]]
    found: dict[str, Samples] = {}
    try:
        with site(plan.program) as here:
            machine = report.machine(here.client)
        tell_machine(machine)
        if names := [name for name in PEERS if name in wanted]:
            found |= contest.peers(names, plan, say)
        if APPEND_ONLY in wanted:
            found |= contest.durability(plan, say)
    except RuntimeError as error:
        print(f"peers: {error}", file=sys.stderr)
        return 1
    load.append(os.getloadavg()[0])
    values = contest.ratios(found)
    print(*_table(found), "", *report.figure_table(values, GOALS), "", *_lacks(found), sep="\n")
    print(
        f"load average {load[0]:.1f} before, {load[1]:.1f} after; medians of {plan.rounds} interleaved rounds"
    )
    result = {"machine": machine, "load": load, "ratios": values, "rows": report.rows(found)}
    write_json(given.json, result)
    return 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="bench.peers",
        description="Measures the router beside a minimal library and two job queues, on one server and in "
        "one run, and what append-only files cost. The queues are installed into .peers/ on first use.",
    )
    parser.add_argument("--only", action="append", choices=NAMES, help="one of these; all by default")
    parser.add_argument("--quick", action="store_true", help="a smoke run: small populations, one round")
    parser.add_argument("--rounds", type=int, default=5, help="interleaved rounds, 5 by default")
    server = parser.add_mutually_exclusive_group()
    server.add_argument(
        "--server",
        type=Path,
        metavar="PROGRAM",
        help=f"a valkey-server or redis-server; {DEBIAN} by default, else the embedded one",
    )
    server.add_argument("--embedded", action="store_true", help="on the embedded Valkey")
    add_json(parser)
    return parser.parse_args()


def _program(given: argparse.Namespace) -> Path | None:
    """The server to run; None is the embedded one."""
    if given.server:
        return Path(given.server)
    return None if given.embedded or not DEBIAN.exists() else DEBIAN


def _table(found: Found) -> Iterable[str]:
    yield HEAD
    yield f"{'':18}" + "".join(f"{title:>13}" for title in COLUMNS.values())
    for name, samples in found.items():
        title = f"router, {name}" if name in contest.DURABILITY else name
        yield f"{title:18}" + "".join(f"{samples.median(column):13,.1f}" for column in COLUMNS)


def _lacks(found: Found) -> Iterable[str]:
    for name in found:
        if peer := PEERS.get(name):
            yield f"{name}: {peer.tells}"
            yield from (f"  does not do: {text}" for text in peer.lacks)


if __name__ == "__main__":
    sys.exit(main())
