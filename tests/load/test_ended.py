"""Whatever ends a run, nothing that it has started is left."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from bench.load import balancer
from bench.load.__main__ import main
from bench.load.interrupts import interruptible, untorn
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
def running(folder: Path, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [sys.executable, "-m", "bench.load", "--out", str(folder), *arguments],
        cwd=ROOT,
        env={**os.environ, "TMPDIR": str(folder)},
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
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_nothing_is_left(tmp_path: Path, number: int) -> None:
    arguments = ("--direct", "--replicas", "1", "--scenario", "steady", "--seconds", "600", "--steps", "0")
    with running(tmp_path, *arguments) as process:
        assert process.stderr
        assert process.stderr.readline() == "closed loop: steady\n"
        # store, worker, replica, Locust
        started = eventually(lambda: found if len(found := children(process.pid)) == 4 else None)
        process.send_signal(number)
        status = process.wait(2 * PATIENCE_SECONDS)
        if number == signal.SIGKILL:
            # it is the system that ends them, then
            eventually(lambda: not any(map(alive, started)))
            return
        assert status == 130
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


def test_a_store_that_does_not_answer_is_told_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    url = f"unix://:secret@{tmp_path}/none"
    monkeypatch.setattr(sys, "argv", ["bench.load", "--out", str(tmp_path), "--direct", "--redis-url", url])
    assert main() == 1
    told = capsys.readouterr().err
    assert "the store cannot be used" in told
    assert "secret" not in told
    assert list(tmp_path.iterdir()) == []


def test_what_asks_to_end_waits_for_the_end_of_what_must_not_be_torn() -> None:
    done: list[str] = []

    def work() -> None:
        with interruptible():
            with untorn():
                with untorn():
                    signal.raise_signal(signal.SIGTERM)
                    done.append("inner")
                done.append("outer")
            done.append("never")

    with pytest.raises(KeyboardInterrupt):
        work()
    assert done == ["inner", "outer"]


def _untorn(number: int) -> None:
    with untorn():
        signal.raise_signal(number)


@pytest.mark.parametrize("first", [signal.raise_signal, _untorn])
def test_a_second_wish_to_end_does_not_disturb_the_first(first: Callable[[int], None]) -> None:
    done: list[str] = []

    def work() -> None:
        with interruptible():
            try:
                first(signal.SIGINT)
            finally:
                signal.raise_signal(signal.SIGINT)
                _untorn(signal.SIGHUP)
                done.append("taken down")

    with pytest.raises(KeyboardInterrupt):
        work()
    assert done == ["taken down"]
