"""Kill -9 of a worker while it asks a function: the job is asked about again, and classified once."""

from __future__ import annotations

from base64 import b64encode
from contextlib import closing
from pathlib import Path

from tests import support
from tests.faults import verify
from tests.outgoing.endpoint import ok, silence
from tests.runtime.processes import jobrouter
from tests.sdk.remote import answering
from tests.signed import Caller
from tests.support import eventually

ROOT = "jr:{main}"


def test_a_worker_killed_in_mid_call_loses_nothing(server_program: Path) -> None:
    key = b64encode(support.KEY).decode()
    with (
        support.server(server_program, notify_keyspace_events="K$x") as server,
        answering(silence, ok(7)) as function,
        jobrouter(
            "api", "--port", "0", "--redis-url", server.url, JOBROUTER_ACCESS_KEYS=f"main={key}"
        ) as api,
        server.client() as redis,
    ):
        options = ("--redis-url", server.url, "--allow-outgoing", "127.0.0.1")
        with jobrouter("worker", *options) as worker:
            worker.wait_for("^working")
            eventually(api.ready)
            with closing(Caller(f"http://127.0.0.1:{api.port}", key)) as call:
                mode = {"offerExpiresAfterSeconds": 60, "mode": {"kind": "longestIdle"}}
                assert call("PATCH", "/routing/distributionPolicies/p", mode)[0] == 201
                assert call("PATCH", "/routing/queues/q", {"distributionPolicyId": "p"})[0] == 201
                rule = {"kind": "function", "functionUri": function.url}
                policy = {"prioritizationRule": rule, "fallbackQueueId": "q"}
                assert call("PATCH", "/routing/classificationPolicies/c", policy)[0] == 201
                job = {"channelId": "voice", "classificationPolicyId": "c"}
                assert call("PATCH", "/routing/jobs/j", job)[1]["status"] == "pendingClassification"
                eventually(lambda: function.requests)
                worker.process.kill()
                leased = redis.zscore(f"{ROOT}:tasks", "classify:j")
                seconds, _ = redis.time()
                assert 5 < leased / 1000 - seconds <= 60
                with jobrouter("worker", *options) as another:
                    another.wait_for("^working")
                    # as if the lease had run out by now
                    redis.zadd(f"{ROOT}:tasks", {"classify:j": 1})
                    eventually(lambda: call("GET", "/routing/jobs/j")[1]["status"] == "queued")
                    assert call("GET", "/routing/jobs/j")[1]["priority"] == 7
                    kinds = [verify.kind_of(event) for event in verify.all_events(call)]
                    assert kinds == ["RouterJobReceived", "RouterJobClassified", "RouterJobQueued"]
                    assert redis.zcard(f"{ROOT}:tasks") == 0
    assert len(function.requests) == 2
