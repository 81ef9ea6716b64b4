"""What is refused changes nothing: a digest of all keys is the same before and after."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import redis

from tests import support


@pytest.fixture
def quiet_server(server_program: Path) -> Iterator[support.Server]:
    """A server that nobody sweeps."""
    with support.server(server_program) as it:
        yield it


@pytest.fixture
def served(quiet_server: support.Server) -> Iterator[support.Served]:
    """The application without a worker: only requests change what is stored."""
    with support.served(quiet_server.url, works=False) as it:
        yield it


@pytest.fixture
def digest(quiet_server: support.Server) -> Iterator[Callable[[], str]]:
    """Makes a digest of everything that is stored."""
    with redis.Redis(unix_socket_path=str(quiet_server.socket)) as client:

        def make() -> str:
            keys = sorted(key for key in client.scan_iter(count=1000) if not key.endswith(b":alarm"))
            assert keys
            return hashlib.sha256(b"".join(key + (client.dump(key) or b"") for key in keys)).hexdigest()

        yield make


@pytest.fixture
def stored(call: Any) -> None:
    """One entity of each kind, and a job that is offered."""
    for path, body in (
        ("distributionPolicies/u-dp", {"offerExpiresAfterSeconds": 600, "mode": {"kind": "longestIdle"}}),
        ("exceptionPolicies/u-ep", {"exceptionRules": []}),
        ("queues/u-q", {"distributionPolicyId": "u-dp", "exceptionPolicyId": "u-ep"}),
        ("classificationPolicies/u-cp", {"fallbackQueueId": "u-q"}),
        (
            "workers/u-w",
            {
                "capacity": 1,
                "queues": ["u-q"],
                "channels": [{"channelId": "voice", "capacityCostPerJob": 1}],
                "availableForOffers": True,
            },
        ),
        ("jobs/u-j", {"channelId": "voice", "queueId": "u-q", "notes": []}),
    ):
        status, answer = call("PATCH", f"/routing/{path}", json.dumps(body).encode())
        assert status in (200, 201), answer


REFUSED: list[tuple[str, str, bytes | None, int]] = [
    ("PATCH", "jobs/u-j", b"", 400),
    ("PATCH", "jobs/u-j", b"[1]", 400),
    ("PATCH", "jobs/u-j", b"{" * 1000, 400),
    ("PATCH", "jobs/u-j", b'{"a":' * 40 + b"1" + b"}" * 40, 400),
    ("PATCH", "jobs/u-j", b'{"labels":{"a":"\\ud800"}}', 400),
    ("PATCH", "jobs/u-j", b'{"labels":{"a":"\xff"}}', 400),
    ("PATCH", "jobs/u-j", b'{"labels":{"a":1e999}}', 400),
    ("PATCH", "jobs/u-j", b'{"labels":{"a":"\\u0000"}}', 400),
    ("PATCH", "jobs/u-j", b'{"priority":"1"}', 400),
    ("PATCH", "jobs/u-j", b'{"queueId":"nope"}', 400),
    ("PATCH", "jobs/u-j", b'{"channelId":null}', 400),
    ("PATCH", "jobs/u-j", b'{"classificationPolicyId":"nope"}', 400),
    ("PATCH", "jobs/u-j", b'{"matchingMode":{"kind":"scheduleAndSuspend"}}', 400),
    ("PATCH", "jobs/u-j", b'{"matchingMode":{"kind":"scheduleAndSuspend","scheduleAt":"soon"}}', 400),
    ("PATCH", "jobs/u-j", b" " * 262_145, 413),
    ("PATCH", "jobs/u-new", b'{"priority":1}', 400),
    ("PATCH", "jobs/u-new", b'{"channelId":"c","queueId":"nope"}', 400),
    ("PATCH", "jobs/%00", b'{"channelId":"c","queueId":"u-q"}', 400),
    ("PATCH", "jobs/%FF", b'{"channelId":"c","queueId":"u-q"}', 400),
    ("PATCH", "jobs/" + "x" * 257, b'{"channelId":"c","queueId":"u-q"}', 400),
    ("POST", "jobs/u-j:cancel", b"[]", 400),
    ("POST", "jobs/u-none:cancel", None, 404),
    ("POST", "jobs/u-j:reclassify", None, 400),
    ("POST", "jobs/u-j/assignments/none:complete", None, 404),
    ("POST", "jobs/u-j/assignments/none:close", b"{}", 404),
    ("POST", "jobs/u-j/assignments/none:unassign", b"{}", 404),
    ("DELETE", "jobs/u-j", None, 409),
    ("DELETE", "queues/u-q", None, 409),
    ("DELETE", "distributionPolicies/u-dp", None, 400),
    ("DELETE", "exceptionPolicies/u-ep", None, 400),
    ("PATCH", "workers/u-w", b'{"capacity":-1}', 400),
    ("PATCH", "workers/u-w", b'{"channels":[{"channelId":"c"}]}', 400),
    ("PATCH", "workers/u-new", b'{"availableForOffers":true}', 400),
    ("POST", "workers/u-w/offers/none:accept", None, 404),
    ("POST", "workers/u-w/offers/none:decline", b'{"retryOfferAt":"soon"}', 400),
    ("POST", "workers/u-none/offers/none:decline", None, 404),
    ("PATCH", "queues/u-q", b'{"distributionPolicyId":"nope"}', 400),
    ("PATCH", "queues/u-q", b'{"exceptionPolicyId":"nope"}', 400),
    ("PATCH", "queues/u-new", b"{}", 400),
    ("PATCH", "distributionPolicies/u-dp", b'{"offerExpiresAfterSeconds":0}', 400),
    (
        "PATCH",
        "distributionPolicies/u-dp",
        b'{"mode":{"kind":"bestWorker","scoringRule":{"kind":"function"}}}',
        400,
    ),
    ("PATCH", "distributionPolicies/u-new", b'{"mode":{"kind":"roundRobin"}}', 400),
    ("PATCH", "classificationPolicies/u-cp", b'{"fallbackQueueId":"nope"}', 400),
    ("PATCH", "classificationPolicies/u-cp", b'{"queueSelectorAttachments":[{}]}', 400),
    ("PATCH", "exceptionPolicies/u-ep", b'{"exceptionRules":[{"id":"r"}]}', 400),
    ("PUT", "jobs/u-j", b"{}", 405),
    ("GET", "jobs/u-j/nothing", None, 404),
    ("GET", "jobs?status=odd", None, 400),
    ("GET", "jobs?continuationToken=odd", None, 400),
]


@pytest.mark.usefixtures("stored")
def test_refused_requests_change_nothing(call: Any, digest: Any) -> None:
    before = digest()
    for method, path, body, expected in REFUSED:
        status, answer = call(method, f"/routing/{path}", body)
        assert status == expected, (method, path, body, answer)
        assert answer["error"] == answer["communicationError"]
        assert answer["error"]["target"] == f"/routing/{path.partition('?')[0]}"
        assert digest() == before, (method, path, body)
    status, answer = call("GET", "/routing/jobs/u-j")
    assert (status, answer["status"]) == (200, "queued")


@pytest.mark.usefixtures("stored")
def test_patches_without_effect_change_nothing(call: Any, digest: Any) -> None:
    before = digest()
    for path in (
        "jobs/u-j",
        "workers/u-w",
        "queues/u-q",
        "distributionPolicies/u-dp",
        "classificationPolicies/u-cp",
    ):
        _, answer = call("GET", f"/routing/{path}")
        for body in (b"{}", json.dumps(answer).encode()):
            status, again = call("PATCH", f"/routing/{path}", body)
            assert (status, again["etag"]) == (200, answer["etag"])
    assert digest() == before
