"""The report: what is in it, and that nothing in it is taken for HTML."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec

from bench.load import calls, report
from bench.load.open_loop import Step
from bench.load.percentiles import Summary
from bench.load.plan import Figures
from bench.load.report import Found
from bench.load.stack import Size
from bench.load.tables import Table, markdown, page


def step(offered: float, achieved: float, lag_p99_ms: float = 1.0) -> Step:
    times = {
        name: Summary(300, 0, 1.0, 2.0, 3.0, 4.0) for name in (calls.CREATE, calls.TIME_TO_OFFER, calls.LIFE)
    }
    return Step(offered, achieved, 0, lag_p99_ms, times, 3.0)


def found(*steps: Step) -> Found:
    return Found(Size(), [12.0, 13.0], {}, list(steps))


def test_the_ceiling_is_the_highest_rate_that_was_sustained() -> None:
    assert found(step(50, 50), step(80, 70), step(80, 79), step(128, 90), step(128, 85)).ceiling == 80
    assert "The ceiling is 80.0 " in report.verdict(found(step(50, 50), step(80, 79), step(128, 90)))
    assert "The ceiling is at least 80.0 " in report.verdict(found(step(50, 50), step(80, 79)))
    assert "Not even the first rate" in report.verdict(found(step(50, 10)))
    assert "generator was late" in report.verdict(found(step(50, 10, lag_p99_ms=100)))


def test_a_moderate_load_is_below_half_the_ceiling(tmp_path: Path) -> None:
    steps = (step(50, 50), step(80, 80), step(128, 128), step(205, 204), step(328, 200))
    text = report.write(found(*steps), tmp_path)[0].read_text()
    assert "Open loop, 80.0 jobs a second" in text


def test_the_files_tell_the_same(tmp_path: Path) -> None:
    it = found(step(50, 49.5))
    operations = {calls.CREATE: Summary(395, 1, 1.0, 2.0, 3.0, 4.0), "x": Summary(0, 7)}
    it.closed["steady"] = Figures(10.0, operations, waiting=9)
    it.left_out.append("burst")
    text, html, raw = (path.read_text() for path in report.write(it, tmp_path))
    assert "| create | 39.5 | 1.0 | 2.0 | 3.0 | 4.0 | 395 | 1 |" in text
    assert "| steady | 40.0 | 39.5 | 0.0 | 40.3 | 1.0 | 3.0 |  |  |  |  | 9 | 8 |" in text
    assert "| x | 0.0 |  |  |  |  | 0 | 7 |" in text
    assert "| 50.0 | 49.5 | 1.0 | 3.0 |" in text
    assert "<tr><td>create</td><td>39.5</td>" in html
    assert "Left out for want of time: burst." in text
    assert "Load average 12.0 before and 13.0 after" in text
    assert '<a href="locust-steady.html">' in html
    assert msgspec.convert(json.loads(raw), Found).closed == it.closed


def test_texts_are_texts_in_html() -> None:
    table = Table("<b>", "a & b", ("x", "<i>"), [("<script>", "1")])
    html = page("<t>", "&", [table], [("<n>", "a?b&c")])
    for raw in ("<b>", "<i>", "<script>", "<t>", "<n>", "b&c"):
        assert raw not in html
    assert markdown("t", "x", [table]).endswith("| x | <i> |\n|---|---:|\n| <script> | 1 |\n")
