"""A served router of its own for each module, and what happens in it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from engine.feed import NAME, ROOM
from tests import support
from tests.events.sse import Shown, Stream
from tests.signed import Caller
from tests.support import eventually

QUEUE = "q"
DURABLE = {"appendonly": "yes", "appendfsync": "always"}


class Site:
    """A router that is served, and verbs of those who use it."""

    def __init__(self, server: support.Server, served: support.Served, call: Caller) -> None:
        self.server = server
        self.served = served
        self.call = call
        self._serial = 0

    def set_up(self) -> None:
        """A queue with its policy."""
        mode = {"kind": "longestIdle"}
        self.done("PATCH", "/routing/distributionPolicies/p", {"offerExpiresAfterSeconds": 600, "mode": mode})
        self.done("PATCH", f"/routing/queues/{QUEUE}", {"distributionPolicyId": "p"})

    def done(self, method: str, path: str, body: Any = None) -> Any:
        """A request that must succeed."""
        status, answer = self.call(method, path, body)
        assert status < 300, (path, status, answer)
        return answer

    def worker(self, worker_id: str, capacity: int = 1, **more: Any) -> None:
        channels = [{"channelId": "voice", "capacityCostPerJob": 1}]
        body = {"capacity": capacity, "queues": [QUEUE], "channels": channels, "availableForOffers": True}
        self.done("PATCH", f"/routing/workers/{worker_id}", {**body, **more})

    def job(self, job_id: str = "", **more: Any) -> str:
        """A new job, under an id of its own."""
        self._serial += 1
        job_id = job_id or f"job-{self._serial}"
        self.done("PATCH", f"/routing/jobs/{job_id}", {"channelId": "voice", "queueId": QUEUE, **more})
        return job_id

    def cancel(self, job_id: str) -> None:
        self.done("POST", f"/routing/jobs/{job_id}:cancel", {})

    def stream(self, query: str = "", last_id: str = "", **more: Any) -> Stream:
        return Stream(self.served.url, self.served.key, query, last_id, **more)

    def log(self, query: str = "") -> list[Shown]:
        """All events in the log, as a stream would show them; those that pass filters."""
        found, after = [], "0"
        while True:
            page = self.done("GET", f"/ext/v1/events?limit=1000&after={after}{query}")
            for entry in page["value"]:
                number = entry["id"].removesuffix("-0")
                for place, event in enumerate(entry["events"], 1):
                    kind = event["eventType"].rpartition(".")[2]
                    found.append(Shown(f"{number}.{place}", kind, event["id"]))
            if "next" not in page:
                return found
            after = page["next"]

    def last_id(self) -> str:
        return self.log()[-1].id

    def readers(self) -> int:
        """How many connections of the store read events."""
        with self.server.client() as client:
            return sum(one["name"] == NAME for one in client.client_list())

    def nobody_reads(self) -> None:
        """Waits until nobody reads any more."""
        eventually(lambda: self.readers() == 0, "end of the read")


def short(events: list[Shown]) -> list[Shown]:
    """Events with their id alone for data, as ``Site.log`` gives them."""
    return [Shown(event.id, event.type, event.json["id"]) for event in events]


@contextlib.contextmanager
def serving(program: Path, *, room: int = ROOM, works: bool = True, **options: str) -> Iterator[Site]:
    """A router on a server of its own, with a queue."""
    with (
        support.server(program, **options) as server,
        support.served(server.url, room=room, works=works) as served,
        closing(Caller(served.url, served.key)) as call,
    ):
        it = Site(server, served, call)
        it.set_up()
        yield it


@pytest.fixture(scope="module")
def site(server_program: Path) -> Iterator[Site]:
    """A router that keeps its log when it is killed."""
    with serving(server_program, **DURABLE) as it:
        yield it


@pytest.fixture
def own_site(server_program: Path) -> Iterator[Site]:
    """A router for one test, which forgets everything when it is killed."""
    with serving(server_program) as it:
        yield it
