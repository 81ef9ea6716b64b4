"""How long a proof itself was kept from running: what it measures cannot be more exact than that."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterator

LOOK_SECONDS = 0.01


class Standstill:
    """The longest time in seconds by which a thread woke up too late, until now."""

    def __init__(self) -> None:
        self.longest = 0.0
        self._ends = threading.Event()

    def look(self) -> None:
        """Looks until told to end."""
        due = time.monotonic() + LOOK_SECONDS
        while not self._ends.wait(LOOK_SECONDS):
            now = time.monotonic()
            self.longest = max(self.longest, now - due)
            due = now + LOOK_SECONDS

    def end(self) -> None:
        """No more looks."""
        self._ends.set()


@contextlib.contextmanager
def standstill() -> Iterator[Standstill]:
    """Looks during the block."""
    it = Standstill()
    thread = threading.Thread(target=it.look, daemon=True)
    thread.start()
    try:
        yield it
    finally:
        it.end()
        thread.join()
