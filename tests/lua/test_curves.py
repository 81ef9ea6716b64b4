"""The scale curves: every axis runs, what bends is told, and the report has its plots."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from bench.curves import axes, latency, report
from bench.curves.axes import AXES
from bench.curves.curve import Curve, Verdict
from bench.rounds import Plan, Samples
from tests.tree.sources import ROOT

PNG = b"\x89PNG"


@pytest.mark.parametrize("name", AXES)
def test_an_axis_runs(name: str, server_program: Path) -> None:
    plan = Plan(rounds=1, program=server_program, quick=True)
    found = axes.curve(AXES[name], plan, whole=False, say=lambda text: None)
    assert set(found.panels) == {
        "life cycles a second",
        "server time of a life cycle, µs",
        "p99 of a call, ms",
    }
    sizes = [*AXES[name].sizes[:2]]
    for _, points in found.columns():
        assert [*points] == sizes
        assert min(points.values()) > 0
    assert bool(found.verdicts) == (AXES[name].limit is not None)


def test_what_must_be_flat_is() -> None:
    limits = {name: [axis.limit and axis.limit(size) for size in axis.sizes] for name, axis in AXES.items()}
    assert limits == {
        "workers": [1.3] * 4,
        "waiting jobs": [1.3] * 4,
        "label classes": [1.3] * 4 + [2],
        "selectors per job": [None] * 6,
        "queues per worker": [None] * 5,
        "tenants": [1.3] * 4,
    }


def _label_classes(times: dict[int, float]) -> Curve:
    """The curve that comes of these times of the line without selectors; the other line is even."""
    scenarios = {size: AXES["label classes"].scenario(size) for size in times}
    found = {}
    for size, time in times.items():
        for row, cpu in zip(scenarios[size].rows, (time, 100.0), strict=True):
            found[row.name] = Samples(row.name)
            figures = {"lifecycle_per_s": 1.0, "lifecycle_cpu_us": cpu, "a20_cpu_us": 1.1, latency.P99: 1.0}
            for value, figure in figures.items():
                found[row.name].add(value, figure)
    return axes.of_samples(AXES["label classes"], scenarios, found)


def test_a_curve_that_bends_is_told() -> None:
    curve = _label_classes({1: 100, 1_000: 131, 10_000: 190})
    assert [str(verdict) for verdict in curve.verdicts if not verdict.flat] == [
        "no selector at 1,000: 1.31 (≤ 1.3; the yardstick 1.00) BENDS"
    ]
    assert curve.summary().startswith("BENDS")


def test_a_flat_curve_is_told_by_its_worst_point() -> None:
    curve = _label_classes({1: 100, 1_000: 129, 10_000: 199})
    assert curve.summary().endswith("no selector at 10,000: 1.99 (≤ 2; the yardstick 1.00) flat.")


def test_the_report_of_a_run(server_program: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "bench.curves", "--quick", "--server", str(server_program)]
    command += ["--only", "memory", "--out", str(tmp_path)]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert ended.returncode == 0, ended.stderr
    assert "memory: Plotted only." in ended.stdout
    found = msgspec.json.decode((tmp_path / "report.json").read_bytes(), type=report.Found)
    (lines,) = found.curves[0].panels.values()
    assert set(lines) == {"waiting job", "closed job", "worker", "queue"}
    assert all(bytes_ > 0 for points in lines.values() for _, bytes_ in points)
    text = (tmp_path / "report.md").read_text()
    assert "| memory | bytes an entity, waiting job |" in text
    assert "![memory](memory.png)" in text
    assert (tmp_path / "memory.png").read_bytes().startswith(PNG)


def test_one_that_bends_ends_in_another_status() -> None:
    bent = Curve("one", "", {}, [Verdict("one", 10, 1.4, 1.3, 1.0)])
    flat = Curve("two", "", {}, [Verdict("two", 10, 1.2, 1.3, 1.0)])
    assert not report.Found({}, 1, [0.0], [bent, flat]).flat
    assert report.Found({}, 1, [0.0], [flat]).flat
