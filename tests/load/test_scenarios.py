"""Each scenario runs for a moment, as `make load` runs it, and nothing fails."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from bench.load import calls, report
from bench.load.__main__ import locust
from bench.load.lives import rising
from bench.load.plan import Figures
from bench.load.report import Found
from bench.load.scenarios import SCENARIOS
from bench.load.stack import Size, Stack

SECONDS = 2.0


def failures(figures: Figures) -> dict[str, int]:
    return {name: found.failures for name, found in figures.operations.items() if found.failures}


@pytest.mark.parametrize("name", SCENARIOS)
def test_a_smoke_run(deployment: Stack, tmp_path: Path, name: str) -> None:
    figures = locust(deployment, SCENARIOS[name], SECONDS, tmp_path)
    assert failures(figures) == {}
    assert figures.operations[calls.CREATE].count > 0
    assert figures.operations[calls.TIME_TO_OFFER].count > 0
    ended = calls.DECLINE if name == "declined" else calls.CLOSE
    assert figures.operations[ended].count > 0
    assert (tmp_path / f"locust-{name}.html").exists()
    text = report.write(Found(Size(), [1.0, 2.0], {name: figures}), tmp_path)[0].read_text()
    assert f"## Scenario {name} (closed loop)" in text
    assert f"\n| {name} | {SCENARIOS[name].jobs:.1f} | " in text


def test_a_smoke_run_of_the_open_loop(deployment: Stack, tmp_path: Path) -> None:
    steps = asyncio.run(rising(deployment.targets, deployment.key, 10, 2, 1.0, 60.0, lambda text: None))
    first = steps[0]
    assert first.offered == 10
    assert first.operations[calls.CREATE].count + first.operations[calls.CREATE].failures == 10
    for name in (calls.TIME_TO_OFFER, calls.LIFE):
        assert first.operations[name].count == first.operations[calls.CREATE].count
    found = Found(Size(), [1.0, 2.0], {}, steps)
    text = report.write(found, tmp_path)[0].read_text()
    assert "## Offered load against achieved" in text
    assert report.verdict(found) in text


def test_beyond_the_ceiling_nobody_is_left_out(deployment: Stack) -> None:
    """More than any machine can do: what was not answered counts, and what it leaves disturbs nobody."""
    run = rising(deployment.targets, deployment.key, 20_000, 1, 0.5, 60.0, lambda text: None)
    for step in asyncio.run(run):
        assert not step.sustained
        assert step.unfinished > 0
        create = step.operations[calls.CREATE]
        assert create.count + create.failures == 10_000
        assert step.operations[calls.LIFE].count >= step.unfinished
        assert (step.operations[calls.LIFE].longest or 0) > 1000
