"""Queues on the wire: bodies in, commands, what clients see."""

from __future__ import annotations

from typing import Any

import pytest

from engine.commands import QueueRead, QueueStatistics, QueueUpsert
from engine.errors import Refused

STORED = {"name": "n", "distribution": "dp", "exception": "ep", "labels": '"a":1'}


def reply(make_record: Any, outcome: str) -> Any:
    return lambda command: {"outcome": outcome, "op": 5, **make_record("queue", id=command.id)}


def test_queue(client: Any, store: Any, make_record: Any) -> None:
    store.on(QueueUpsert, reply(make_record, "created"))
    body = {"Name": "n", "distributionPolicyId": "dp", "exceptionPolicyId": "ep", "labels": {"Id": 1, "a": 1}}
    response = client("PATCH", "/routing/queues/q", body)
    assert response.status == 201
    assert store.commands == [QueueUpsert("q", name="n", distribution="dp", exception="ep", labels='"a":1')]


def test_view(client: Any, store: Any, make_record: Any) -> None:
    store.on(QueueRead, make_record("queue", **STORED))
    response = client("GET", "/routing/queues/x")
    assert list(response.json.items()) == [
        ("id", "x"),
        ("name", "n"),
        ("distributionPolicyId", "dp"),
        ("labels", {"Id": "x", "a": 1}),
        ("exceptionPolicyId", "ep"),
        ("etag", response.headers["etag"]),
    ]


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"distributionPolicyId": None}, "The property 'distributionPolicyId' is required."),
        ({"distributionPolicyId": ""}, "'distributionPolicyId' is not valid"),
        ({"distributionPolicyId": "d" * 257}, "'distributionPolicyId' is not valid"),
        ({"exceptionPolicyId": 5}, "'exceptionPolicyId' is not valid"),
        ({"name": 5}, "'name' is not valid: expected str, got int"),
        ({"labels": {"a": {}}}, "'labels[\"a\"]' is not valid"),
    ],
)
def test_bad_queues(client: Any, store: Any, change: dict[str, Any], text: str) -> None:
    response = client("PATCH", "/routing/queues/q", {"distributionPolicyId": "dp"} | change)
    assert response.status == 400
    assert text in response.error["message"]
    assert store.commands == [QueueRead("q")]


@pytest.mark.parametrize(
    ("patch", "fields"),
    [
        ({"name": None}, {"name": ""}),
        ({"exceptionPolicyId": None}, {"exception": ""}),
        ({"exceptionPolicyId": ""}, {"exception": ""}),
        ({"labels": {"b": "x"}}, {"labels": '"a":1,\n"b":"x"'}),
    ],
)
def test_patches(
    client: Any, store: Any, make_record: Any, patch: dict[str, Any], fields: dict[str, Any]
) -> None:
    store.on(QueueRead, make_record("queue", **STORED))
    store.on(QueueUpsert, reply(make_record, "updated"))
    assert client("PATCH", "/routing/queues/x", patch).status == 200
    assert store.commands == [QueueRead("x"), QueueUpsert("x", 1, **(STORED | fields))]


def test_distribution_policy_cannot_be_removed(client: Any, store: Any, make_record: Any) -> None:
    store.on(QueueRead, make_record("queue", **STORED))
    response = client("PATCH", "/routing/queues/x", {"distributionPolicyId": None})
    assert response.status == 400
    assert "'distributionPolicyId' is required" in response.error["message"]


def test_unknown_policy(client: Any, store: Any) -> None:
    store.on(QueueUpsert, Refused("INVALID", "distribution policy 'dp' does not exist"))
    response = client("PATCH", "/routing/queues/q", {"distributionPolicyId": "dp"})
    assert (response.status, response.error["message"]) == (400, "distribution policy 'dp' does not exist")


def test_round_trip_of_what_was_read_changes_nothing(client: Any, store: Any, make_record: Any) -> None:
    record = make_record("queue", **STORED)
    store.on(QueueRead, record)
    store.on(QueueUpsert, {"outcome": "exists", **record})
    read = client("GET", "/routing/queues/x")
    response = client("PATCH", "/routing/queues/x", read.body)
    assert (response.status, response.body, response.headers["etag"]) == (
        200,
        read.body,
        read.headers["etag"],
    )
    assert len(store.commands) == 2


def test_statistics(client: Any, store: Any) -> None:
    reply = {
        "id": "q",
        "rev": 4,
        "modified_at": 1700000000500,
        "length": 2,
        "longest_ms": 90000,
        "wait:-5": 9,
        "wait:1": 2,
    }
    store.on(QueueStatistics, reply)
    response = client("GET", "/routing/queues/q/statistics")
    assert response.json == {
        "queueId": "q",
        "length": 2,
        "estimatedWaitTimeMinutes": {"-5": 9, "1": 2},
        "longestJobWaitTimeMinutes": 1.5,
    }
    assert response.headers["etag"].startswith('"00000004-0000-0000-')
    assert response.headers["last-modified"] == "Tue, 14 Nov 2023 22:13:20 GMT"


def test_statistics_of_an_empty_queue(client: Any, store: Any) -> None:
    store.on(QueueStatistics, {"id": "q", "rev": 1, "modified_at": 1, "length": 0, "longest_ms": -1})
    assert client("GET", "/routing/queues/q/statistics").json == {
        "queueId": "q",
        "length": 0,
        "estimatedWaitTimeMinutes": {},
    }
