"""The bench runs: a smoke run of one group, and every goal has a source."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench import events, ratios, report
from bench.functions import FIGURES
from bench.interface import rates, scale, stages
from bench.rounds import Plan, measure
from bench.scenarios import GROUPS
from bench.site import site


def test_a_smoke_run(server_program: Path) -> None:
    found = measure(GROUPS["declines"], Plan(rounds=1, program=server_program, quick=True), lambda text: None)
    assert {row["row"] for row in report.rows(found)} == {"declined_0", "declined_1k"}
    assert found["declined_0"].median("create_calls") > 0
    assert len(list(report.row_table(found))) == 3


def test_every_goal_is_measured() -> None:
    rows = {row.name for group in GROUPS.values() for scenario in group for row in scenario.rows}
    http = {name + ending for name in rates.COMPARED for ending in rates.FIGURES}
    assert set(ratios.GOALS) <= set(ratios.RATIOS) | set(FIGURES) | http
    assert {row for ratio in ratios.RATIOS.values() for row in ratio.rows} <= rows


def test_a_smoke_run_of_events(server_program: Path) -> None:
    found = events.measure(server_program, creates=5, clients=3, workers=20, to_all=4)
    assert set(found) == {
        "create_to_offer_p50_ms",
        "create_to_offer_p99_ms",
        "create_to_offer_beside_streams_p50_ms",
        "create_to_offer_beside_streams_p99_ms",
        "create_to_offer_last_client_p50_ms",
        "create_to_offer_last_client_p99_ms",
        "deliveries_per_s",
    }
    assert min(found.values()) > 0


def test_a_smoke_run_of_the_interface() -> None:
    found = rates.measure(rates.Plan(rounds=1, lives=20, at_once=4), lambda text: None)
    assert set(found) == {"raw", "starlette", "unsigned", "signed"}
    assert min(rates.ratios(found).values()) > 0
    assert len(list(rates.table(found))) == 1 + len(found)


def test_a_smoke_run_of_two_processes() -> None:
    found = scale.measure(rates.Plan(rounds=1, lives=20, at_once=4), lambda text: None)
    assert scale.ratios(found)[scale.RATIO] > 0


def test_stages_of_a_request_are_all_of_it() -> None:
    with site() as here:
        found = stages.measure(here, rounds=1, batches=2)
    for step in found.values():
        assert {*stages.TIMED, stages.SERVER, stages.CALL} < set(step)
        *parts, whole = step.values()
        assert sum(parts) == pytest.approx(whole)
        assert min(step[stage] for stage in stages.TIMED) > 0
    assert len(list(stages.table(found))) == 1 + len(next(iter(found.values())))
