"""Kill -9 of a worker while it asks a function: the job is asked about again, and the answer counts once."""

from __future__ import annotations

import contextlib
import json
from base64 import b64encode
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import redis

from tests import support
from tests.faults import verify
from tests.outgoing.endpoint import Endpoint, Reply, Request, ok, silence
from tests.runtime.processes import jobrouter
from tests.sdk.remote import answering
from tests.signed import Caller
from tests.support import eventually

ROOT = "jr:{main}"


Again = Callable[[str], None]
"""Kills the worker that has leased a task, and lets another take the task."""


@contextlib.contextmanager
def router(program: Path, function: Endpoint) -> Iterator[tuple[Caller, redis.Redis, Again]]:
    """An API and a worker as processes, the queue ``q`` included."""
    key = b64encode(support.KEY).decode()
    with contextlib.ExitStack() as stack:
        server = stack.enter_context(support.server(program, notify_keyspace_events="K$x"))
        keys = {"JOBROUTER_ACCESS_KEYS": f"main={key}"}
        api = stack.enter_context(jobrouter("api", "--port", "0", "--redis-url", server.url, **keys))
        store = stack.enter_context(server.client())
        options = ("--redis-url", server.url, "--allow-outgoing", "127.0.0.1")
        worker = stack.enter_context(jobrouter("worker", *options))
        worker.wait_for("^working")
        eventually(api.ready)

        def again(task: str) -> None:
            eventually(lambda: function.requests)
            worker.process.kill()
            leased: Any = store.zscore(f"{ROOT}:tasks", task)
            seconds, _ = store.time()  # type: ignore[misc]
            assert 5 < leased / 1000 - seconds <= 60
            stack.enter_context(jobrouter("worker", *options)).wait_for("^working")
            # as if the lease had run out by now
            store.zadd(f"{ROOT}:tasks", {task: 1})

        with contextlib.closing(Caller(f"http://127.0.0.1:{api.port}", key)) as call:
            yield call, store, again


def done(call: Caller, method: str, path: str, body: Any) -> Any:
    """The answer to a request that succeeds."""
    status, answer = call(method, f"/routing/{path}", body)
    assert status in (200, 201), answer
    return answer


def test_a_worker_killed_in_mid_call_loses_nothing(server_program: Path) -> None:
    with (
        answering(silence, ok(7)) as function,
        router(server_program, function) as (call, store, again),
    ):
        mode = {"offerExpiresAfterSeconds": 60, "mode": {"kind": "longestIdle"}}
        done(call, "PATCH", "distributionPolicies/p", mode)
        done(call, "PATCH", "queues/q", {"distributionPolicyId": "p"})
        rule = {"kind": "function", "functionUri": function.url}
        done(call, "PATCH", "classificationPolicies/c", {"prioritizationRule": rule, "fallbackQueueId": "q"})
        job = {"channelId": "voice", "classificationPolicyId": "c"}
        assert done(call, "PATCH", "jobs/j", job)["status"] == "pendingClassification"
        again("classify:j")
        eventually(lambda: call("GET", "/routing/jobs/j")[1]["status"] == "queued")
        assert call("GET", "/routing/jobs/j")[1]["priority"] == 7
        kinds = [verify.kind_of(event) for event in verify.all_events(call)]
        assert kinds == ["RouterJobReceived", "RouterJobClassified", "RouterJobQueued"]
        assert store.zcard(f"{ROOT}:tasks") == 0
    assert len(function.requests) == 2


def test_a_worker_killed_while_it_asks_for_scores_loses_nothing(server_program: Path) -> None:
    dead = True

    def answer(request: Request) -> Reply:
        return silence if dead else ok(json.loads(request.body)["worker"]["n"])

    with answering(by=answer) as function, router(server_program, function) as (call, store, again):
        rule = {"kind": "function", "functionUri": function.url}
        mode = {"offerExpiresAfterSeconds": 60, "mode": {"kind": "bestWorker", "scoringRule": rule}}
        done(call, "PATCH", "distributionPolicies/p", mode)
        done(call, "PATCH", "queues/q", {"distributionPolicyId": "p"})
        for n in (1, 2):
            channel = {"channelId": "voice", "capacityCostPerJob": 1}
            worker = {"capacity": 1, "queues": ["q"], "channels": [channel], "labels": {"n": n}}
            done(call, "PATCH", f"workers/w{n}", {**worker, "availableForOffers": True})
        done(call, "PATCH", "jobs/j", {"channelId": "voice", "queueId": "q"})
        eventually(lambda: len(function.requests) == 2)
        dead = False
        again("score:j")
        eventually(lambda: call("GET", "/routing/workers/w2")[1]["offers"])
        assert call("GET", "/routing/workers/w1")[1]["offers"] == []
        kinds = [verify.kind_of(event) for event in verify.all_events(call)]
        assert kinds.count("RouterWorkerOfferIssued") == 1
        assert store.zcard(f"{ROOT}:tasks") == 0
