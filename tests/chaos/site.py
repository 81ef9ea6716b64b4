"""Parts of a router as processes, some of them behind links that lose, delay or hold."""

from __future__ import annotations

import contextlib
from base64 import b64encode
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from tests import support
from tests.runtime.processes import Process, jobrouter
from tests.support import eventually

KEY = b64encode(support.KEY).decode()


@dataclass
class Site:
    """Running API replicas and workers."""

    apis: list[Process]
    workers: list[Process]

    @property
    def ports(self) -> list[int]:
        """Where the replicas listen."""
        return [api.port for api in self.apis]

    def ended(self) -> list[str]:
        """What the parts have said that have ended by themselves."""
        return [part.rest() for part in (*self.apis, *self.workers) if part.process.poll() is not None]


@contextlib.contextmanager
def site(apis: Sequence[str], workers: Sequence[str], **variables: str) -> Iterator[Site]:
    """An API for each of these addresses of a store, and a worker for each of those; ready."""
    keys = {"JOBROUTER_ACCESS_KEYS": f"main={KEY}"}
    with contextlib.ExitStack() as stack:
        start = stack.enter_context
        working = [start(jobrouter("worker", "--redis-url", url, **variables)) for url in workers]
        replicas = [
            start(jobrouter("api", "--port", "0", "--redis-url", url, **keys, **variables)) for url in apis
        ]
        for worker in working:
            worker.wait_for("^working")
        for replica in replicas:
            replica.wait_for("^ready")
            eventually(replica.ready)
        yield Site(replicas, working)
