"""Progress bars: on a terminal alone, and gone when the work is done."""

from __future__ import annotations

import io
from collections.abc import Iterable

import pytest

from api.cli.progress import progress


class _Stream(io.StringIO):
    def __init__(self, terminal: bool) -> None:
        super().__init__()
        self._terminal = terminal

    def isatty(self) -> bool:
        return self._terminal


def written(monkeypatch: pytest.MonkeyPatch, terminal: bool, steps: Iterable[int]) -> str:
    stream = _Stream(terminal)
    monkeypatch.setattr("sys.stderr", stream)
    monkeypatch.setenv("TERM", "xterm")
    with progress("checking", 50) as advance:
        for number in steps:
            advance(number)
    return stream.getvalue()


def test_a_bar_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    text = written(monkeypatch, True, [20, 30])
    assert "checking" in text
    assert "50/50" in text


def test_none_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    assert written(monkeypatch, False, [20, 30]) == ""
