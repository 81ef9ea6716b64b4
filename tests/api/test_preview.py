"""What would become of a job, over HTTP."""

from __future__ import annotations

from typing import Any

import pytest

from engine.commands import JobPreview

PATH = "/ext/v1/jobs:preview"
JOB = {"channelId": "voice", "queueId": "q", "priority": 5}


def reply(*rows: Any, **more: Any) -> Any:
    least = {"job": "j", "status": "queued", "queue": "q", "channel": "voice", "pending": [], "next": ""}
    counts = {"workers": 3, "on_queue": 2, "registered": 2, "fitting": 1, "ready": 1}
    return {**least, **counts, "admits": 0, "admits_ready": 0, "rows": list(rows), **more}


def test_preview(client: Any, store: Any) -> None:
    offer = {"about": "offer", "worker": "w1", "considered": 3, "passed": '"declined":2', "score": "0.25"}
    rule = {"about": "rule", "rule": "long", "policy": "e"}
    taken = {"about": "sample", "of": "w1", "of_state": "active", "code": "already_offered"}
    place = {"position": 3, "length": 4, "wait_minutes": 2, "mode": "bestWorker", "maximum": 1}
    store.on(JobPreview, reply(offer, rule, taken, **place, priority="5", labels='"a":1', selected="q"))
    body = {**JOB, "id": "j", "labels": {"a": 1}, "tags": None}
    response = client("POST", PATH, body, version=None)
    assert response.status == 200
    shown = response.json
    explanation = shown.pop("explanation")
    assert shown == {
        "status": "queued",
        "queueId": "q",
        "queueSelected": True,
        "priority": 5,
        "requestedWorkerSelectors": [],
        "attachedWorkerSelectors": [],
        "labels": {"a": 1},
        "classifiedWhenActivated": False,
        "pending": [],
        "exceptionRules": [{"ruleId": "long", "exceptionPolicyId": "e"}],
        "position": 3,
        "queueLength": 4,
        "estimatedWaitTimeMinutes": 2,
        "mode": "bestWorker",
        "maxConcurrentOffers": 1,
        "offers": [{"workerId": "w1", "considered": 3, "passed": {"declined": 2}, "score": 0.25}],
    }
    assert explanation["workers"]["registered"] == 2
    # whom it would be offered to is told already
    assert explanation["sample"] == []
    assert store.commands == [JobPreview("j", "voice", "q", priority=5, labels='"a":1')]


def test_failure_and_pending(client: Any, store: Any) -> None:
    failed = {"status": "classificationFailed", "failed": "rule", "message": "m", "place": "worker.2"}
    store.on(JobPreview, {"job": "j", "channel": "voice", "pending": [], "next": "", "rows": [], **failed})
    shown = client("POST", PATH, JOB, version=None).json
    assert shown["failure"] == {
        "code": "RuleFailed",
        "message": "m",
        "target": "workerSelectorAttachments[2]",
    }
    assert "workers" not in shown["explanation"]
    store.on(JobPreview, reply(status="pendingClassification", pending=["priority", "queue.0", "scoring"]))
    assert client("POST", PATH, JOB, version=None).json["pending"] == [
        *("prioritizationRule", "queueSelectorAttachments[0]", "scoringRule"),
    ]


def test_slices(client: Any, store: Any) -> None:
    offer = {"about": "offer", "worker": "w1", "considered": 1}
    store.on(JobPreview, reply(offer, next="7"), reply())
    shown = client("POST", PATH, JOB, version=None).json
    assert [row["workerId"] for row in shown["offers"]] == ["w1"]
    assert shown["explanation"]["workers"]["registered"] == 4
    first, second = store.commands
    assert (first.cursor, second.cursor) == ("", "7")
    # both slices speak of the same job
    assert first.id == second.id != ""


@pytest.mark.parametrize(
    ("body", "text"),
    [
        ({"channelId": "voice"}, "queueId"),
        ({"queueId": "q"}, "channelId"),
        ({**JOB, "priority": 101}, "priority"),
        ({**JOB, "matchingMode": {}}, "matchingMode.kind"),
        ({**JOB, "labels": {"a": [1]}}, "labels"),
        ({**JOB, "id": 7}, "id"),
        ({**JOB, "id": "x" * 257}, "id"),
        ({**JOB, "id": ""}, "id"),
        ({**JOB, "id": "a\0b"}, "NUL"),
        ([], "object"),
    ],
)
def test_mistakes_are_told_as_of_a_patch(client: Any, store: Any, body: Any, text: str) -> None:
    response = client("POST", PATH, body, version=None)
    assert (response.status, response.error["code"]) == (400, "BadRequest")
    assert text in response.error["message"]
    assert store.commands == []
    if isinstance(body, dict) and "id" not in body:
        message = client("PATCH", "/routing/jobs/j", body).error["message"]
        assert message == response.error["message"]


def test_paths(client: Any, store: Any) -> None:
    assert client("GET", PATH, version=None).status == 405
    assert client("POST", "/ext/v1/jobs:other", JOB, version=None).status == 404
    assert client("POST", "/ext/v1/jobs", JOB, version=None).status == 404
    assert client("POST", "/ext/v1/jobs/:preview", JOB, version=None).status == 404
    assert client("POST", "/routing/jobs:preview", JOB).status == 404
    assert client("POST", "/routing/jobs:cancel", JOB).status == 404
    assert store.commands == []
    assert client.send("POST", PATH, b"{}", {"host": "localhost"}).status == 401


def test_preview_then_creation(call: Any) -> None:
    """A served router: what is told is what happens, and nothing was there before."""
    name = "previewed"
    policy = {"offerExpiresAfterSeconds": 60, "mode": {"kind": "longestIdle", "maxConcurrentOffers": 2}}
    assert call("PATCH", f"/routing/distributionPolicies/{name}", policy)[0] == 201
    assert call("PATCH", f"/routing/queues/{name}", {"distributionPolicyId": name})[0] == 201
    channels = [{"channelId": "voice", "capacityCostPerJob": 1}]
    for worker in ("p1", "p2", "p3"):
        body = {"capacity": 1, "queues": [name], "channels": channels, "availableForOffers": True}
        assert call("PATCH", f"/routing/workers/{worker}", body)[0] == 201
    job = {"channelId": "voice", "queueId": name, "priority": 3}
    status, told = call("POST", PATH, {**job, "id": name})
    assert status == 200
    assert [offer["workerId"] for offer in told["offers"]] == ["p1", "p2"]
    assert call("GET", f"/routing/jobs/{name}")[0] == 404
    assert call("PATCH", f"/routing/jobs/{name}", job)[0] == 201
    found = [w for w in ("p1", "p2", "p3") if call("GET", f"/routing/workers/{w}")[1]["offers"]]
    assert found == ["p1", "p2"]
    assert call("POST", PATH, {**job, "id": name})[0] == 409


@pytest.mark.parametrize("name", ["Id", "ID", "iD"])
def test_the_name_of_the_id_in_any_case(client: Any, store: Any, name: str) -> None:
    store.on(JobPreview, reply())
    assert client("POST", PATH, {**JOB, name: "j2"}, version=None).status == 200
    assert store.commands == [JobPreview("j2", "voice", "q", priority=5)]
