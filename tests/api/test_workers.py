"""Workers on the wire: bodies in, commands, what clients see."""

from __future__ import annotations

from typing import Any

import pytest

from engine.commands import WorkerRead, WorkerUpsert

GA = "2023-11-01"


def reply(make_record: Any, outcome: str = "created") -> Any:
    return lambda command: {"outcome": outcome, "op": 5, **make_record("worker", id=command.id)}


FULL = {
    "capacity": 100,
    "queues": ["q2", "q1", "q2", "é"],
    "labels": {"Id": "forged", "b": 1.0, "a": "x"},
    "tags": {"t": True},
    "channels": [
        {"channelId": "voice", "capacityCostPerJob": 60.0},
        {"channelId": "chat\t", "capacityCostPerJob": 0, "maxNumberOfJobs": 2},
    ],
    "availableForOffers": True,
    "maxConcurrentOffers": 3,
}

FULL_COMMAND = WorkerUpsert(
    "w",
    capacity=100,
    available=True,
    max_offers=3,
    queues='"q2"\n"q1"\n"é"',
    channels='"voice"\t60\t\n"chat\\t"\t0\t2',
    labels='"a":"x",\n"b":1.0',
    tags='"t":true',
)


def test_full_worker(client: Any, store: Any, make_record: Any) -> None:
    store.on(WorkerUpsert, reply(make_record))
    assert client("PATCH", "/routing/workers/w", FULL).status == 201
    assert store.commands == [FULL_COMMAND]


def test_least_worker(client: Any, store: Any, make_record: Any) -> None:
    store.on(WorkerUpsert, reply(make_record))
    response = client("PATCH", "/routing/workers/w", {"capacity": 0})
    assert response.status == 201
    assert store.commands == [WorkerUpsert("w")]
    assert list(response.json.items()) == [
        ("id", "w"),
        ("state", "inactive"),
        ("queues", []),
        ("capacity", 1),
        ("labels", {"Id": "w"}),
        ("tags", {}),
        ("channels", []),
        ("offers", []),
        ("assignedJobs", []),
        ("loadRatio", 0),
        ("availableForOffers", False),
        ("etag", response.headers["etag"]),
    ]


def test_older_version_does_not_know_the_limit_of_offers(client: Any, store: Any, make_record: Any) -> None:
    store.on(WorkerUpsert, reply(make_record))
    assert client("PATCH", "/routing/workers/w", FULL, version=GA).status == 201
    assert store.commands[0].max_offers == 0
    store.on(WorkerRead, make_record("worker", max_offers="3"))
    assert "maxConcurrentOffers" not in client("GET", "/routing/workers/x", version=GA).json
    assert client("GET", "/routing/workers/x").json["maxConcurrentOffers"] == 3


def test_older_version_keeps_the_limit_of_offers(client: Any, store: Any, make_record: Any) -> None:
    store.on(WorkerRead, make_record("worker", max_offers="3"))
    store.on(WorkerUpsert, reply(make_record, "updated"))
    body = {"availableForOffers": True, "maxConcurrentOffers": 9}
    assert client("PATCH", "/routing/workers/x", body, version=GA).status == 200
    assert store.commands[1] == WorkerUpsert("x", 1, capacity=1, available=True, max_offers=3)


BAD = [
    ({"capacity": None}, "The property 'capacity' is required."),
    ({"capacity": -1}, "'capacity' is not valid: expected int >= 0"),
    ({"capacity": "1"}, "'capacity' is not valid"),
    ({"capacity": 1.5}, "'capacity' is not valid"),
    ({"capacity": 2**31}, "'capacity' is not valid"),
    ({"queues": {"q": {}}}, "'queues' is not valid: expected array, got object"),
    ({"queues": [1]}, "'queues[0]' is not valid"),
    ({"queues": [""]}, "'queues[0]' is not valid"),
    ({"queues": ["a", None]}, "'queues[1]' is not valid"),
    ({"queues": [str(i) for i in range(1001)]}, "'queues' is not valid"),
    ({"channels": [{"capacityCostPerJob": 1}]}, "The property 'channels[0].channelId' is required."),
    ({"channels": [{"channelId": "c"}]}, "The property 'channels[0].capacityCostPerJob' is required."),
    (
        {"channels": [{"channelId": "c", "capacityCostPerJob": -1}]},
        "'channels[0].capacityCostPerJob' is not valid",
    ),
    (
        {"channels": [{"channelId": "c", "capacityCostPerJob": 1, "maxNumberOfJobs": 0}]},
        "'channels[0].maxNumberOfJobs' is not valid: expected int >= 1",
    ),
    ({"channels": [{"channelId": "c", "capacityCostPerJob": 1}] * 2}, "a channel is listed twice"),
    ({"channels": "c"}, "'channels' is not valid"),
    ({"availableForOffers": "true"}, "'availableForOffers' is not valid: expected bool, got str"),
    ({"availableForOffers": 1}, "'availableForOffers' is not valid"),
    ({"maxConcurrentOffers": 0}, "'maxConcurrentOffers' is not valid: expected int >= 1"),
    ({"labels": {"a": []}}, "'labels[\"a\"]' is not valid"),
    ({"tags": []}, "'tags' is not valid"),
]


@pytest.mark.parametrize(("change", "text"), BAD)
def test_bad_workers(client: Any, store: Any, change: dict[str, Any], text: str) -> None:
    response = client("PATCH", "/routing/workers/w", FULL | change)
    assert response.status == 400
    assert text in response.error["message"]
    assert store.commands == [WorkerRead("w")]


HELD = {
    "state": "active",
    "available": "1",
    "capacity": "8",
    "used": "2",
    "max_offers": "4",
    "queues": '"q1"\n"é"',
    "channels": '"voice"\t1\t\n"chat"\t0\t5',
    "labels": '"Idx":"x"',
    "o:of1": "1 1700000000000 1700000060000 2:é5:voicejob 1",
    "o:of2": "0 1700000000001 1700000060001 2:q14:chatjé",
    "a:as1": "1 1700000000002 5:voicej:3",
    "a:as2": "1 1700000000003 5:voicej4",
}


def test_view_of_everything(client: Any, store: Any, make_record: Any) -> None:
    store.on(WorkerRead, make_record("worker", id="w/1", **HELD))
    worker = client("GET", "/routing/workers/w%2F1").json
    assert worker["labels"] == {"Id": "w/1", "Idx": "x"}
    assert worker["queues"] == ["q1", "é"]
    assert worker["channels"] == [
        {"channelId": "voice", "capacityCostPerJob": 1},
        {"channelId": "chat", "capacityCostPerJob": 0, "maxNumberOfJobs": 5},
    ]
    assert [list(offer.items()) for offer in worker["offers"]] == [
        [
            ("offerId", "of2"),
            ("jobId", "jé"),
            ("capacityCost", 0),
            ("offeredAt", "2023-11-14T22:13:20.001+00:00"),
            ("expiresAt", "2023-11-14T22:14:20.001+00:00"),
        ],
        [
            ("offerId", "of1"),
            ("jobId", "job 1"),
            ("capacityCost", 1),
            ("offeredAt", "2023-11-14T22:13:20+00:00"),
            ("expiresAt", "2023-11-14T22:14:20+00:00"),
        ],
    ]
    assert worker["assignedJobs"] == [
        {
            "assignmentId": "as2",
            "jobId": "j4",
            "capacityCost": 1,
            "assignedAt": "2023-11-14T22:13:20.003+00:00",
        },
        {
            "assignmentId": "as1",
            "jobId": "j:3",
            "capacityCost": 1,
            "assignedAt": "2023-11-14T22:13:20.002+00:00",
        },
    ]
    assert worker["loadRatio"] == 0.25
    assert worker["availableForOffers"] is True


@pytest.mark.parametrize(
    ("used", "capacity", "text"), [("8", "8", b"1"), ("0", "8", b"0"), ("0", "0", b"0"), ("3", "2", b"1.5")]
)
def test_load_ratio(client: Any, store: Any, make_record: Any, used: str, capacity: str, text: bytes) -> None:
    store.on(WorkerRead, make_record("worker", used=used, capacity=capacity))
    assert b'"loadRatio":' + text + b"," in client("GET", "/routing/workers/x").body


def test_round_trip_of_what_was_read_changes_nothing(client: Any, store: Any, make_record: Any) -> None:
    record = make_record("worker", **HELD)
    store.on(WorkerRead, record)
    store.on(WorkerUpsert, {"outcome": "exists", **record})
    read = client("GET", "/routing/workers/x")
    response = client("PATCH", "/routing/workers/x", read.body)
    assert (response.status, response.body) == (200, read.body)
    assert len(store.commands) == 2


@pytest.mark.parametrize(
    ("patch", "fields"),
    [
        ({"availableForOffers": False}, {"available": False}),
        ({"availableForOffers": None}, {"available": False}),
        ({"maxConcurrentOffers": None}, {"max_offers": 0}),
        ({"queues": None}, {"queues": ""}),
        ({"queues": ["é"]}, {"queues": '"é"'}),
        ({"labels": {"Id": "me", "Idx": None}}, {"labels": ""}),
        ({"channels": []}, {"channels": ""}),
        ({"tags": {"a": 1}}, {"tags": '"a":1'}),
    ],
)
def test_patches(
    client: Any, store: Any, make_record: Any, patch: dict[str, Any], fields: dict[str, Any]
) -> None:
    stored = {
        "capacity": 8,
        "available": True,
        "max_offers": 4,
        "queues": HELD["queues"],
        "channels": HELD["channels"],
    }
    store.on(WorkerRead, make_record("worker", **HELD))
    store.on(WorkerUpsert, reply(make_record, "updated"))
    assert client("PATCH", "/routing/workers/x", patch).status == 200
    assert store.commands[1] == WorkerUpsert("x", 1, **{**stored, "labels": HELD["labels"], **fields})


def test_label_id_cannot_be_set(client: Any, store: Any, make_record: Any) -> None:
    store.on(WorkerRead, make_record("worker", **HELD))
    assert client("PATCH", "/routing/workers/x", {"labels": {"Id": "me"}}).status == 200
    assert store.commands == [WorkerRead("x")]
