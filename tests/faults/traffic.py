"""A handful of agents who live through outages, and what the router has acknowledged to them."""

from __future__ import annotations

import itertools
import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPException
from typing import Any

from tests.chaos.ledger import Ledger
from tests.signed import Caller
from tests.support import PATIENCE_SECONDS, eventually

AGENTS = 4
VOICE = [{"channelId": "voice", "capacityCostPerJob": 1}]
_PAUSE_SECONDS = 0.01


class Stopped(Exception):
    """The traffic is told to end."""


class Agent(threading.Thread):
    """A client with a worker of its own: makes a job, takes an offer, completes, closes; for ever."""

    def __init__(self, name: str, caller: Caller, history: Ledger, stop: threading.Event) -> None:
        super().__init__(daemon=True)
        self.worker = name
        self._call = caller
        self._history = history
        self._stop_it = stop

    def run(self) -> None:
        try:
            for number in itertools.count():
                self._cycle(f"{self.worker}-job-{number}")
        except Stopped:
            pass
        except BaseException as error:
            self._history.unexpected.append(error)
        finally:
            self._call.close()

    def _cycle(self, created: str) -> None:
        self._ask("PATCH", f"/routing/jobs/{created}", {"channelId": "voice", "queueId": "busy"})
        self._history.note(created, "created")
        offer = self._offer()
        path = f"/routing/workers/{self.worker}/offers/{offer['offerId']}:accept"
        accepted = self._ask("POST", path)
        if accepted is None:
            return
        job, assignment = accepted["jobId"], accepted["assignmentId"]
        self._history.note(job, "assigned", assignment)
        for action, stage in (("complete", "completed"), ("close", "closed")):
            if self._ask("POST", f"/routing/jobs/{job}/assignments/{assignment}:{action}") is None:
                return
            self._history.note(job, stage, assignment)

    def _offer(self) -> Any:
        while True:
            worker = self._ask("GET", f"/routing/workers/{self.worker}")
            if worker and worker["offers"]:
                return worker["offers"][0]
            if self._stop_it.wait(_PAUSE_SECONDS):
                raise Stopped

    def _ask(self, method: str, path: str, body: Any = None) -> Any:
        """Repeats a request until it is answered, with the same id, as the official clients do."""
        request_id = str(uuid.uuid4())
        while not self._stop_it.is_set():
            try:
                status, answer = self._call(method, path, body, request_id)
                if status < 300:
                    return answer
                if status != 503:
                    self._history.unexpected.append((method, path, status, answer))
                    return None
            except (OSError, HTTPException):
                pass
            self._history.interrupted += 1
            self._stop_it.wait(_PAUSE_SECONDS)
        raise Stopped


@contextmanager
def traffic(url: str, key: str) -> Iterator[Ledger]:
    """Agents at work; a few life cycles are complete when the block begins."""
    history, stop = Ledger(), threading.Event()
    call = Caller(url, key)
    make_queue(call, "busy", 600)
    agents = [Agent(f"agent-{i}", Caller(url, key), history, stop) for i in range(AGENTS)]
    for agent in agents:
        make_worker(call, agent.worker, "busy")
    call.close()
    for agent in agents:
        agent.start()
    try:
        goes_on(history)
        yield history
    finally:
        stop.set()
        for agent in agents:
            agent.join(PATIENCE_SECONDS)
    assert not any(agent.is_alive() for agent in agents)


def goes_on(history: Ledger, cycles: int = 3 * AGENTS) -> None:
    """Waits until so many more life cycles are complete."""
    aim = history.closed() + cycles
    eventually(lambda: history.closed() >= aim, f"{cycles} life cycles; {history.unexpected[:3]}")


def make_queue(call: Caller, name: str, seconds: float) -> None:
    """A queue whose offers last so long."""
    policy = {"offerExpiresAfterSeconds": seconds, "mode": {"kind": "longestIdle"}}
    assert call("PATCH", f"/routing/distributionPolicies/{name}", policy)[0] == 201
    assert call("PATCH", f"/routing/queues/{name}", {"distributionPolicyId": name})[0] == 201


def make_worker(call: Caller, name: str, queue: str) -> None:
    """A worker that takes one job at a time."""
    body = {"capacity": 1, "queues": [queue], "channels": VOICE, "availableForOffers": True}
    assert call("PATCH", f"/routing/workers/{name}", body)[0] == 201


LAZY = [f"lazy-{i}" for i in range(3)]
"""Workers who let their offers run out, and the jobs that are offered to them."""


def make_lazy(call: Caller) -> None:
    """Offers that run out in a second, to workers who never answer."""
    make_queue(call, "lazy", 1)
    for name in LAZY:
        make_worker(call, name, "lazy")
        assert call("PATCH", f"/routing/jobs/{name}", {"channelId": "voice", "queueId": "lazy"})[0] == 201
        assert call("GET", f"/routing/workers/{name}")[1]["offers"]
