"""A process that does nothing but sleep: how late it wakes is what the machine itself costs everybody."""

from __future__ import annotations

import multiprocessing
import time
from multiprocessing.connection import Connection
from types import TracebackType

STEP_SECONDS = 0.01
PATIENCE_SECONDS = 10.0


class Sleeper:
    """Sleeps in short steps while the block lasts; ``late_ms`` is then how late each ended, ascending."""

    def __init__(self) -> None:
        context = multiprocessing.get_context("spawn")
        self.late_ms: list[float] = []
        self._here, there = context.Pipe()
        self._process = context.Process(target=_sleep, args=(there,), daemon=True)

    def __enter__(self) -> Sleeper:
        self._process.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, value: object, trace: TracebackType | None) -> None:
        self._here.send("enough")
        if self._here.poll(PATIENCE_SECONDS):
            self.late_ms = sorted(self._here.recv())
        self._process.kill()
        self._process.join()
        self._here.close()


def _sleep(there: Connection) -> None:
    late = []
    while not there.poll():
        due = time.monotonic() + STEP_SECONDS
        time.sleep(STEP_SECONDS)
        late.append((time.monotonic() - due) * 1000)
    there.send(late)
