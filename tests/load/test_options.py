"""Options of the load: what they take, and that what they do not take is told."""

from __future__ import annotations

import sys

import pytest

from bench.load.__main__ import main
from bench.load.scenarios import SCENARIOS


def test_the_help_tells_every_scenario(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["bench.load", "--help"])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 0
    told = " ".join(capsys.readouterr().out.split())
    for scenario in SCENARIOS.values():
        assert f"{scenario.name}: {scenario.tells}" in told


@pytest.mark.parametrize(
    ("option", "value", "expected"),
    [
        ("--replicas", "0", "must be a whole number from 1 to 64"),
        ("--replicas", "2.5", "must be a whole number from 1 to 64"),
        ("--workers", "many", "must be a whole number from 1 to 64"),
        ("--steps", "21", "must be a whole number from 0 to 20"),
        ("--seconds", "nan", "must be a number from 0.5 to 600"),
        ("--step-seconds", "601", "must be a number from 0.5 to 600"),
        ("--rate", "fast", "must be a number from 1 to 10000"),
        ("--scenario", "other", "invalid choice"),
    ],
)
def test_what_cannot_be_is_told(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    option: str,
    value: str,
    expected: str,
) -> None:
    monkeypatch.setattr(sys, "argv", ["bench.load", option, value])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2
    assert expected in capsys.readouterr().err
