"""How a command ends when nobody wants its output, or it."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from api.cli import status_of


def test_a_reader_who_has_gone_makes_no_trace() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    command = [sys.executable, "-m", "api.cli", "acl"]
    ended = subprocess.run(command, stdout=writing, stderr=subprocess.PIPE, text=True, check=False)
    os.close(writing)
    assert ended.returncode == 1
    assert "Traceback" not in ended.stderr
    assert "BrokenPipe" not in ended.stderr


def test_an_interruption_makes_no_trace(capsys: pytest.CaptureFixture[str]) -> None:
    """As while it imports what it needs, which takes it longest."""

    def interrupted() -> int:
        raise KeyboardInterrupt

    assert status_of(interrupted) == 130
    assert capsys.readouterr() == ("", "")
