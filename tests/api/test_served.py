"""A served router beyond what the SDK shows: repeated requests and the outbox."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from api.wire.values import timestamp


@pytest.fixture
def offer(call: Any, request: pytest.FixtureRequest) -> tuple[str, str]:
    """Ids of a job and of the offer of it to the worker of the same id."""
    name = request.node.name
    call(
        "PATCH",
        f"/routing/distributionPolicies/{name}",
        {"offerExpiresAfterSeconds": 60, "mode": {"kind": "longestIdle"}},
    )
    call("PATCH", f"/routing/queues/{name}", {"distributionPolicyId": name})
    channels = [{"channelId": "voice", "capacityCostPerJob": 1}]
    worker = {"capacity": 1, "queues": [name], "channels": channels, "availableForOffers": True}
    assert call("PATCH", f"/routing/workers/{name}", worker)[0] == 201
    assert call("PATCH", f"/routing/jobs/{name}", {"channelId": "voice", "queueId": name})[0] == 201
    return name, call("GET", f"/routing/workers/{name}")[1]["offers"][0]["offerId"]


def test_repeated_request_acts_once_and_answers_the_same(call: Any, offer: tuple[str, str]) -> None:
    name, offer_id = offer
    path = f"/routing/workers/{name}/offers/{offer_id}:accept"
    first = call("POST", path, request_id="r1")
    assert first[0] == 200
    assert call("POST", path, request_id="r1") == first
    assert call("POST", path, request_id="r2")[0] == 404
    assignment = f"/routing/jobs/{name}/assignments/{first[1]['assignmentId']}"
    for action, body in (
        ("unassign", {}),
        ("accept", None),
        ("complete", {"note": "n"}),
        ("close", {"note": "m"}),
    ):
        if action == "accept":
            offer_id = call("GET", f"/routing/workers/{name}")[1]["offers"][0]["offerId"]
            accepted = call("POST", f"/routing/workers/{name}/offers/{offer_id}:accept")[1]
            assignment = f"/routing/jobs/{name}/assignments/{accepted['assignmentId']}"
            continue
        done = call("POST", f"{assignment}:{action}", body, request_id=action)
        assert done[0] == 200
        assert call("POST", f"{assignment}:{action}", body, request_id=action) == done
    assert [note["message"] for note in call("GET", f"/routing/jobs/{name}")[1]["notes"]] == ["n", "m"]


def test_outbox(call: Any, offer: tuple[str, str]) -> None:
    name, _ = offer
    entries: list[dict[str, Any]] = []
    after = ""
    while True:
        status, page = call("GET", f"/ext/v1/events?limit=3{after}")
        assert status == 200
        entries += page["value"]
        if "next" not in page:
            break
        assert page["next"] == page["value"][-1]["id"]
        after = f"&after={page['next']}"
    assert entries[0]["id"] == page["oldest"]
    for before, entry in itertools.pairwise(entries):
        assert entry["previous"] == before["id"]
    types = [
        event["eventType"].rpartition(".")[2]
        for entry in entries
        for event in entry["events"]
        if event["data"].get("jobId") == name
    ]
    assert types == ["RouterJobReceived", "RouterJobQueued", "RouterWorkerOfferIssued"]


def test_close_at_a_later_time(call: Any, offer: tuple[str, str]) -> None:
    name, offer_id = offer
    accepted = call("POST", f"/routing/workers/{name}/offers/{offer_id}:accept")[1]
    assignment = f"/routing/jobs/{name}/assignments/{accepted['assignmentId']}"
    call("POST", f"{assignment}:complete")
    assert call("POST", f"{assignment}:close", {"closeAt": timestamp(4102444800000)})[0] == 200
    assert call("GET", f"/routing/jobs/{name}")[1]["status"] == "completed"
    assert call("POST", f"{assignment}:close", {"closeAt": "0001-01-01T00:00:00.0000000Z"})[0] == 200
    assert call("GET", f"/routing/jobs/{name}")[1]["status"] == "closed"
