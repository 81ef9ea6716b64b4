"""Measures the Lua library: ``python -m bench.functions --help`` tells how.

Ratios of one run on one machine are what counts; absolute figures differ between machines and hours.
"""

from __future__ import annotations

import argparse
import os
from typing import Any

from bench import expiry, explaining, memory, pipelining, ratios, report
from bench.command_line import add_json, add_server, say, tell_machine, write_json
from bench.rounds import Plan, Samples, measure, slow_operations, two_processors
from bench.scenarios import GROUPS
from bench.site import site

FIGURES = {
    "bytes_per_waiting_job": memory.bytes_per_waiting_job,
    "bytes_per_worker": memory.bytes_per_worker,
    "pipelined_ping": pipelining.ratio,
    "expiry_lag_p99_ms": expiry.lag_p99_ms,
    "explain_ms": explaining.explain_ms,
    "explain_call_ms": explaining.explain_call_ms,
    "explain_10k_label_sets_ms": explaining.explain_10k_label_sets_ms,
    "explain_10k_label_sets_call_ms": explaining.explain_10k_label_sets_call_ms,
}
NAMES = [*GROUPS, *FIGURES, "slow"]
# To build the largest populations three times more would say nothing new about slow calls.
SLOW_GROUPS = ("unmatchable", "labels", "queues", "modes", "declines")


def main() -> None:
    """Measures what was asked for, prints the tables, writes the JSON."""
    given = _arguments()
    plan = Plan(1 if given.quick else given.rounds, given.server, two_processors(), given.quick)
    if plan.cpus:
        os.sched_setaffinity(0, {plan.cpus[1]})
    wanted = given.only or NAMES
    with site(plan.program) as here:
        result: dict[str, Any] = {"machine": report.machine(here.client)}
    tell_machine(result["machine"])

    found: dict[str, Samples] = {}
    for name in GROUPS:
        if name in wanted:
            found |= measure(GROUPS[name], plan, say)
    values = ratios.of(found)
    for name, figure in FIGURES.items():
        if name in wanted:
            say(f"measuring {name}")
            values[name] = round(figure(plan), 1)
    slow = _slow(plan) if "slow" in wanted else {}

    print(*report.row_table(found), "", *report.figure_table(values), *_slow_table(slow), sep="\n")
    result |= {"ratios": values, "rows": report.rows(found), "slow": slow}
    write_json(given.json, result)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="bench.functions", description="Measures the Lua library.")
    parser.add_argument(
        "--only", action="append", choices=NAMES, metavar="NAME", help=f"one of {', '.join(NAMES)}"
    )
    parser.add_argument("--quick", action="store_true", help="a smoke run: small populations, one round")
    parser.add_argument("--rounds", type=int, default=5, help="interleaved rounds, 5 by default")
    add_server(parser)
    add_json(parser)
    return parser.parse_args()


def _slow(plan: Plan) -> dict[str, dict[str, float]]:
    """Scenario → its slow operations, of those that have any."""
    found = {}
    for scenario in (scenario for name in SLOW_GROUPS for scenario in GROUPS[name]):
        say(f"looking for slow calls in {scenario.name}")
        found[scenario.name] = slow_operations(scenario, plan)
    return {name: slow for name, slow in found.items() if slow}


def _slow_table(slow: dict[str, dict[str, float]]) -> list[str]:
    return [f"over 5 ms in three of three runs: {name}: {calls}" for name, calls in slow.items()]


if __name__ == "__main__":
    main()
