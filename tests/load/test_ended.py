"""Whatever ends a run, nothing that it has started is left."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from bench.load import balancer
from bench.load.__main__ import main
from tests.support import PATIENCE_SECONDS, eventually
from tests.tree.sources import ROOT


def children(pid: int) -> set[int]:
    """Those of a process and of all its threads."""
    found: set[int] = set()
    for file in Path(f"/proc/{pid}/task").glob("*/children"):
        with contextlib.suppress(OSError):
            found |= set(map(int, file.read_text().split()))
    return found


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


@contextlib.contextmanager
def running(folder: Path, *arguments: str, **variables: str) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [sys.executable, "-m", "bench.load", "--out", str(folder), *arguments],
        cwd=ROOT,
        env={**os.environ, **variables},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield process
    finally:
        # kindly, so that it ends its own
        process.terminate()
        process.communicate(timeout=2 * PATIENCE_SECONDS)


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="children are found in /proc")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_nothing_is_left(tmp_path: Path, number: int) -> None:
    arguments = ("--direct", "--replicas", "1", "--scenario", "steady", "--seconds", "600", "--steps", "0")
    with running(tmp_path, *arguments) as process:
        assert process.stderr
        assert process.stderr.readline() == "closed loop: steady\n"
        # store, worker, replica, Locust
        started = eventually(lambda: found if len(found := children(process.pid)) == 4 else None)
        process.send_signal(number)
        assert process.wait(2 * PATIENCE_SECONDS) == 130
        assert [pid for pid in started if alive(pid)] == []
        assert "ended before its time" in process.stderr.read()


def test_without_haproxy_it_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(balancer, "program", lambda: None)
    monkeypatch.setattr(sys, "argv", ["bench.load", "--out", str(tmp_path)])
    assert main() == 1
    assert "apt-get install haproxy" in (told := capsys.readouterr().err)
    assert "--direct" in told
