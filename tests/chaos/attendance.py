"""When workers have worked: what is due while none of them lives is nobody's delay."""

from __future__ import annotations

import threading
import time
from pathlib import Path

LOOK_SECONDS = 0.01
WORKING = b"working;"


class Attendance(threading.Thread):
    """Looks into the logs of workers for the line that each start ends with. All times in epoch ms."""

    def __init__(self, logs: Path, workers: list[str]) -> None:
        super().__init__(daemon=True)
        self._logs = {name: logs / f"{name}.log" for name in workers}
        self._starts = dict.fromkeys(workers, 0)
        self._since: dict[str, float] = {}
        self._spans: list[tuple[float, float]] = []
        self._lock = threading.Lock()
        self._ends = threading.Event()

    def __enter__(self) -> Attendance:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.end()

    def run(self) -> None:
        while not self._ends.wait(LOOK_SECONDS):
            with self._lock:
                self._look()

    def gone(self, name: str) -> None:
        """A worker is about to be killed."""
        with self._lock:
            self._look()
            if name in self._since:
                self._spans.append((self._since.pop(name), _now()))

    def end(self) -> None:
        """No more looks: who works now has worked until now."""
        self._ends.set()
        for name in self._logs:
            self.gone(name)

    def is_served(self, start: float, end: float) -> bool:
        """Has one and the same worker worked all the time?"""
        return any(since <= start and end <= until for since, until in self._spans)

    def _look(self) -> None:
        for name, log in self._logs.items():
            if not log.exists():
                continue
            starts = log.read_bytes().count(WORKING)
            if starts > self._starts[name]:
                self._starts[name] = starts
                self._since[name] = _now()


def _now() -> float:
    return time.time() * 1000
