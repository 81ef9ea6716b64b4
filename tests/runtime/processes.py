"""The command as a process of its own, as operators run it."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import queue
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.support import PATIENCE_SECONDS, eventually

ROOT = Path(__file__).parents[2]


class Process:
    """A running ``jobrouter``: its lines, its port, its end."""

    def __init__(self, *arguments: str, **variables: str) -> None:
        kept = {name: value for name, value in os.environ.items() if not name.startswith("JOBROUTER_")}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "api.cli", *arguments],
            cwd=ROOT,
            env={**kept, **variables},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        self.lines: list[str] = []
        self._queue: queue.Queue[str | None] = queue.Queue()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout
        for line in self.process.stdout:
            self._queue.put(line.rstrip("\n"))
        self._queue.put(None)

    def wait_for(self, pattern: str) -> re.Match[str]:
        """The first line, seen already or to come, that has the pattern."""
        for line in self.lines:
            if found := re.search(pattern, line):
                return found
        while True:
            line_or_end = self._queue.get(timeout=PATIENCE_SECONDS)
            assert line_or_end is not None, self.lines
            self.lines.append(line_or_end)
            if found := re.search(pattern, line_or_end):
                return found

    @property
    def port(self) -> int:
        """The port of plain http."""
        return int(self.wait_for(r"http://[\w.]+:(\d+)/")[1])

    def get(self, path: str) -> tuple[int, Any]:
        """An unsigned GET."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE_SECONDS)
        with contextlib.closing(connection):
            connection.request("GET", path)
            answer = connection.getresponse()
            return answer.status, json.loads(answer.read())

    def ready(self) -> bool:
        """Does it answer that it is ready?"""
        with contextlib.suppress(OSError):
            return self.get("/health/ready")[0] == 200
        return False

    def end(self, number: int = signal.SIGTERM) -> int:
        """Its exit status after a signal."""
        self.process.send_signal(number)
        return self.process.wait(10)

    def rest(self) -> str:
        """All that it has printed, after its end."""
        self._reader.join(PATIENCE_SECONDS)
        while not self._queue.empty():
            line = self._queue.get()
            if line is not None:
                self.lines.append(line)
        return "\n".join(self.lines)


@contextlib.contextmanager
def jobrouter(*arguments: str, **variables: str) -> Iterator[Process]:
    """A process that is gone, with what it has started, after the block."""
    it = Process(*arguments, **variables)
    try:
        yield it
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(it.process.pid, signal.SIGKILL)
        it.process.wait()
        it.rest()
        assert it.process.stdout
        it.process.stdout.close()


@contextlib.contextmanager
def serving(folder: Path, *arguments: str, **variables: str) -> Iterator[Process]:
    """``jobrouter serve`` on a data directory, ready."""
    ports = ("--port", "0", "--tls-port", "0")
    words = ("serve", *ports, "--show-keys", "yes", "--data-dir", str(folder), *arguments)
    with jobrouter(*words, **variables) as it:
        it.wait_for("^ready")
        eventually(it.ready)
        yield it
