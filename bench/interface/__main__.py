"""Measures the HTTP layer: ``python -m bench.interface --help`` tells how.

Ratios of one run on one machine are what counts; absolute figures differ between machines and hours.
"""

from __future__ import annotations

import argparse
from typing import Any

from bench import report
from bench.command_line import add_json, say, tell_machine, write_json
from bench.interface import rates, scale, stages
from bench.site import site

PARTS = ("stages", "rates", "processes")


def main() -> None:
    """Measures what was asked for, prints the tables, writes the JSON."""
    given = _arguments()
    plan = rates.Plan(1, 32, 8) if given.quick else rates.Plan(given.rounds)
    with site() as here:
        result: dict[str, Any] = {"machine": report.machine(here.client)}
    tell_machine(result["machine"])
    if "stages" in given.only:
        say("measuring the stages")
        with site() as here:
            result["stages"] = stages.measure(here, plan.rounds, 2 if given.quick else stages.BATCHES)
        print("", *stages.table(result["stages"]), sep="\n", flush=True)
    if "rates" in given.only:
        found = rates.measure(plan, say)
        _show(result, found, rates.ratios(found))
    if "processes" in given.only:
        found = scale.measure(plan, say)
        _show(result, found, scale.ratios(found))
    write_json(given.json, result)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="bench.interface", description="Measures the HTTP layer.")
    parser.add_argument(
        "--only", action="append", choices=PARTS, metavar="PART", help="stages, rates or processes"
    )
    parser.add_argument("--quick", action="store_true", help="a smoke run: few requests, one round")
    parser.add_argument("--rounds", type=int, default=7, help="interleaved rounds, 7 by default")
    add_json(parser)
    given = parser.parse_args()
    given.only = given.only or PARTS
    return given


def _show(result: dict[str, Any], found: rates.Found, ratios: dict[str, float]) -> None:
    print("", *rates.table(found), "", *report.figure_table(ratios), sep="\n", flush=True)
    result["ratios"] = {**result.get("ratios", {}), **ratios}
    result["rows"] = [*result.get("rows", ()), *report.rows(found)]


if __name__ == "__main__":
    main()
