"""Queues and workers as they stand."""

from __future__ import annotations

from typing import Any

from engine.commands import QueueOverview, WorkerOverview

QUEUE = {
    "id": "sales",
    "name": "",
    "length": 3,
    "longest_ms": 90_000,
    "wait_minutes": 2,
    "workers": 4,
    "active": 2,
    "looked": 3,
    "unmatchable": 1,
    "priorities": [10, 1, 1, 2],
}
WORKER = {
    "id": "ann",
    "state": "active",
    "used": 3,
    "capacity": 4,
    "since_ms": 1_700_000_000_000,
    "offers": [
        [
            "id",
            "o1",
            "job",
            "j1",
            "queue",
            "sales",
            "channel",
            "voice",
            "offered_at",
            "1700000000000",
            "expires_at",
            "1700000060000",
        ]
    ],
    "assignments": [["id", "a1", "job", "j2", "channel", "chat", "assigned_at", "1700000000500"]],
}


def test_queues(client: Any, store: Any) -> None:
    store.on(QueueOverview, {"next": 7, "rows": [QUEUE]})
    page = client("GET", "/ext/v1/queues?maxpagesize=1", version=None).json
    assert page["value"] == [
        {
            "id": "sales",
            "length": 3,
            "waiting": [{"priority": 10, "jobs": 1}, {"priority": 1, "jobs": 2}],
            "longestJobWaitTimeMinutes": 1.5,
            "estimatedWaitTimeMinutes": 2,
            "workers": 4,
            "activeWorkers": 2,
            "tested": {"jobs": 3, "unmatchable": 1},
        }
    ]
    client("GET", page["nextLink"], version=None)
    assert store.commands == [QueueOverview(1), QueueOverview(1, 7)]


def test_an_empty_queue_waits_for_nothing(client: Any, store: Any) -> None:
    empty = {**QUEUE, "name": "Sales", "longest_ms": -1, "priorities": []}
    store.on(QueueOverview, {"next": 0, "rows": [empty]})
    (row,) = client("GET", "/ext/v1/queues", version=None).json["value"]
    assert row["name"] == "Sales"
    assert "longestJobWaitTimeMinutes" not in row


def test_active_workers_that_are_not_counted(client: Any, store: Any) -> None:
    store.on(QueueOverview, {"next": 0, "rows": [{**QUEUE, "active": -1}]})
    (row,) = client("GET", "/ext/v1/queues", version=None).json["value"]
    assert row["workers"] == 4
    assert "activeWorkers" not in row


def test_workers(client: Any, store: Any) -> None:
    store.on(WorkerOverview, {"next": 0, "rows": [WORKER]})
    assert client("GET", "/ext/v1/workers?queueId=sales", version=None).json == {
        "value": [
            {
                "id": "ann",
                "state": "active",
                "usedCapacity": 3,
                "capacity": 4,
                "loadRatio": 0.75,
                "since": "2023-11-14T22:13:20+00:00",
                "offers": [
                    {
                        "offerId": "o1",
                        "jobId": "j1",
                        "queueId": "sales",
                        "channelId": "voice",
                        "offeredAt": "2023-11-14T22:13:20+00:00",
                        "expiresAt": "2023-11-14T22:14:20+00:00",
                    }
                ],
                "assignments": [
                    {
                        "assignmentId": "a1",
                        "jobId": "j2",
                        "channelId": "chat",
                        "assignedAt": "2023-11-14T22:13:20.5+00:00",
                    }
                ],
            }
        ]
    }
    assert store.commands == [WorkerOverview(100, 0, "sales")]


def test_a_page_is_never_larger_than_the_store_gives(client: Any, store: Any) -> None:
    store.on(WorkerOverview, {"next": 0, "rows": []})
    client("GET", "/ext/v1/workers?maxpagesize=1000", version=None)
    assert store.commands == [WorkerOverview(100)]
