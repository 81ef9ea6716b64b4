"""The curve against API replicas: one rate on one replica."""

from __future__ import annotations

from pathlib import Path

from bench.curves import replicas
from bench.load import calls


def test_a_replica_is_measured(tmp_path: Path) -> None:
    curve = replicas.curve(tmp_path, (1,), lambda text: None, steps=1)
    assert curve.sizes == [1]
    assert set(curve.panels) == {"life cycles a second", "p99, ms"}
    assert set(curve.panels["p99, ms"]) == {calls.CREATE, calls.LIFE}
    assert all(points[0][1] > 0 for lines in curve.panels.values() for points in lines.values())
