"""The bench runs: a smoke run of one group, and every goal has a source."""

from __future__ import annotations

from pathlib import Path

from bench import events, ratios, report
from bench.functions import FIGURES
from bench.rounds import Plan, measure
from bench.scenarios import GROUPS


def test_a_smoke_run(server_program: Path) -> None:
    found = measure(GROUPS["declines"], Plan(rounds=1, program=server_program, quick=True), lambda text: None)
    assert {row["row"] for row in report.rows(found)} == {"declined_0", "declined_1k"}
    assert found["declined_0"].median("create_calls") > 0
    assert len(list(report.row_table(found))) == 3


def test_every_goal_is_measured() -> None:
    rows = {row.name for group in GROUPS.values() for scenario in group for row in scenario.rows}
    assert set(ratios.GOALS) <= set(ratios.RATIOS) | set(FIGURES)
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
