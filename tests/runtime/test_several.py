"""``jobrouter api --workers``: processes that share a port, and one that looks after them."""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import os
import re
import signal
from base64 import b64encode
from collections.abc import Iterator
from pathlib import Path

import pytest
import uvloop

from api.cli.serve import run_until_told
from api.serving import supervisor
from api.serving.supervisor import Place, Supervisor
from tests import support
from tests.runtime.processes import Process, jobrouter
from tests.support import PATIENCE_SECONDS, eventually
from tests.tree.sources import missing

KEYS = {"JOBROUTER_ACCESS_KEYS": f"main={b64encode(support.KEY).decode()}"}


@contextlib.contextmanager
def several(url: str, *more: str) -> Iterator[Process]:
    with jobrouter("api", "--port", "0", "--workers", "2", "--redis-url", url, *more, **KEYS) as it:
        it.wait_for("^ready")
        yield it


def children(it: Process) -> list[int]:
    file = Path(f"/proc/{it.process.pid}/task/{it.process.pid}/children")
    if not file.exists():
        missing("the system does not tell of child processes")
    return sorted(map(int, file.read_text().split()))


def metrics(port: int) -> str:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE_SECONDS)
    with contextlib.closing(connection):
        connection.request("GET", "/metrics")
        return connection.getresponse().read().decode()


def told(port: int) -> set[str]:
    """The processes of which the metrics tell."""
    return set(re.findall(r'^process_start_time_seconds\{process="(\d)"\}', metrics(port), re.MULTILINE))


def test_all_are_told_of_and_end_together(server: support.Server) -> None:
    with several(server.url) as it:
        started = children(it)
        assert len(started) == 2
        assert sum(line.startswith("ready") for line in it.lines) == 1
        eventually(it.ready)
        # whichever is asked tells of both, in series of their own
        assert told(it.port) == {"0", "1"}
        requests = re.findall(
            r'^jobrouter_http_request_duration_seconds_count\{.*process="\d".*\}',
            metrics(it.port),
            re.MULTILINE,
        )
        assert len(requests) == len(set(requests)) > 0
        assert it.end() == 0
        assert not any(map(exists, started))
        assert "Traceback" not in it.rest()
        assert "started again" not in it.rest()


def test_one_that_dies_is_started_again(server: support.Server) -> None:
    with several(server.url, "--log-format", "text") as it:
        first = children(it)[0]
        os.kill(first, signal.SIGKILL)
        it.wait_for("has ended with -9 and is started again")
        eventually(lambda: first not in children(it) and len(children(it)) == 2)
        eventually(lambda: told(it.port) == {"0", "1"})
        assert it.end(signal.SIGINT) == 0


def test_none_outlives_the_one_that_looks_after_them(server: support.Server) -> None:
    with several(server.url) as it:
        started = children(it)
        it.process.kill()
        eventually(lambda: not any(map(exists, started)))


def exists(pid: int) -> bool:
    status = Path(f"/proc/{pid}/stat")
    # what has ended waits for somebody to take note of it
    return status.exists() and " Z " not in status.read_text()


@pytest.mark.parametrize(
    ("more", "text"),
    [
        (("--workers", "0"), "a whole number from 1 to 256"),
        (("--workers", "2", "--tls-port", "0"), "needs a certificate"),
        (
            ("--workers", "2", "--tls-port", "0", "--tls-cert", "nowhere", "--tls-key", "nowhere"),
            "cannot be used",
        ),
    ],
)
def test_what_cannot_be_is_told(more: tuple[str, ...], text: str) -> None:
    with jobrouter("api", "--port", "0", "--redis-url", "unix:///nowhere", *more, **KEYS) as it:
        assert it.process.wait(10) == 2
        assert text in it.rest()
        assert "Traceback" not in it.rest()


def test_one_that_fails_at_the_start_ends_all() -> None:
    """With its status; the other one is not left."""

    def work(place: Place) -> int:
        if place.number:
            return 3
        os.read(place.lifeline, 1)
        return 0

    assert Supervisor(2, work, print).run() == 3


def test_one_that_cannot_be_started_again_at_once_is_started_later(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The system may have no process to spare for a moment."""
    fork, forks = os.fork, 0

    def scarce() -> int:
        nonlocal forks
        forks += 1
        if forks in (2, 3):
            raise BlockingIOError("no more processes")
        return fork()

    known, told = os.pipe()

    def say(text: str) -> None:
        os.write(told, b"!")

    def work(place: Place) -> int:
        place.ready("ready")
        if not (place.folder / "first").exists():
            (place.folder / "first").touch()
            os.read(known, 1)
            return 7
        os.kill(os.getppid(), signal.SIGTERM)
        os.read(place.lifeline, 1)
        return 0

    monkeypatch.setattr(os, "fork", scarce)
    monkeypatch.setattr(supervisor, "PAUSE_SECONDS", 0.001)
    pipes = watched_pipes(monkeypatch)
    assert Supervisor(1, work, say).run() == 0
    assert forks == 4
    _, *failures = [record.getMessage() for record in caplog.records if record.levelname == "ERROR"]
    assert failures == ["process 0 of the API cannot be started, trying on: no more processes"] * 2
    assert not pipes
    os.close(known)
    os.close(told)


def watched_pipes(monkeypatch: pytest.MonkeyPatch) -> set[int]:
    """The ends of pipes that were made from now on and are not closed yet."""
    pipe, close, there = os.pipe, os.close, set[int]()

    def made() -> tuple[int, int]:
        ends = pipe()
        there.update(ends)
        return ends

    def closed(file: int) -> None:
        there.discard(file)
        close(file)

    monkeypatch.setattr(os, "pipe", made)
    monkeypatch.setattr(os, "close", closed)
    return there


def test_one_that_is_told_to_end_as_it_begins_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    """Before it has forgotten who looked after signals in the process that it was made of."""
    fork = os.fork

    def told() -> int:
        if pid := fork():
            return pid
        os.kill(os.getpid(), signal.SIGTERM)
        return 0

    monkeypatch.setattr(os, "fork", told)
    assert Supervisor(1, lambda place: 3, print).run() == -signal.SIGTERM


def test_the_end_of_the_lifeline_is_told_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """It stays readable, and would keep the process busy while requests under way finish."""
    # whose loop tells whether somebody looked
    monkeypatch.setattr(uvloop, "run", asyncio.run)
    lifeline, held = os.pipe()
    watched: list[bool] = []

    async def work() -> int:
        os.close(held)
        try:
            await asyncio.Event().wait()
        finally:
            watched.append(asyncio.get_running_loop().remove_reader(lifeline))
        return 1

    assert run_until_told(work, lifeline) == 0
    assert watched == [False]
    os.close(lifeline)
