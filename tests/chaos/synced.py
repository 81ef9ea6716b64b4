"""How much of an append-only file is known to be on the disk: the rest goes when the power does."""

from __future__ import annotations

import threading
import time

import redis

from tests import support
from tests.chaos import append_only

LOOKS = 5
"""The server synchronises once a second; so often in between the size of the file is noted."""

MARK = "mark"


class Synced:
    """Watches one server until it is gone; ``size`` is how many bytes of its file were synchronised."""

    def __init__(self, server: support.Server) -> None:
        self.size = 0
        self._server = server
        for number in range(LOOKS):
            threading.Thread(target=self._watch, args=(number / LOOKS,), daemon=True).start()

    def _watch(self, after: float) -> None:
        """Notes a size so many seconds after a synchronisation, and waits for the next."""
        file = append_only.growing(self._server.folder)
        try:
            with self._server.client() as client:
                while True:
                    time.sleep(after)
                    size = file.stat().st_size
                    # it waits for the writes of its own connection, and for all before them
                    client.set(MARK, 1)
                    client.execute_command("WAITAOF", 1, 0, 5_000)  # type: ignore[no-untyped-call]
                    self.size = max(self.size, size)
        except (redis.ConnectionError, OSError):
            return
