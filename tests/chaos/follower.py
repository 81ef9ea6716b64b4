"""A listener on the live stream of events that resumes whenever it is cut, as clients of it do."""

from __future__ import annotations

import contextlib
import http.client
import threading
import time

from tests.events.sse import Stream


class Follower(threading.Thread):
    """Collects the ids of all events from the beginning of the log on; ``cuts`` counts lost streams."""

    def __init__(self, url: str, key: str) -> None:
        super().__init__(daemon=True)
        self.seen: list[str] = []
        self.cuts = 0
        self._url = url
        self._key = key
        self._ends = threading.Event()

    def run(self) -> None:
        last_id = ""
        while not self._ends.is_set():
            # a stream may end anywhere: what is not complete comes again
            with contextlib.suppress(OSError, http.client.HTTPException, AssertionError):
                query = "" if last_id else "after=0"
                with Stream(self._url, self._key, query, last_id) as stream:
                    if stream.status == 200:
                        for event in stream:
                            self.seen.append(event.json["id"])
                            last_id = event.id
            self.cuts += 1
            time.sleep(0.05)

    def __enter__(self) -> Follower:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        # its stream ends with the replicas
        self._ends.set()
