"""The outbox for clients that pull."""

from __future__ import annotations

from typing import Any

import pytest

from engine.commands import EventList

PAYLOAD = (
    '{"id":"e1","eventType":"Microsoft.Communication.RouterJobReceived","data":{"big":12345678901234567890}}'
)


def entry(number: int, previous: int, **more: Any) -> dict[str, Any]:
    return {
        "op": number,
        "at": "1",
        "call": "jr_job_create",
        "prev": previous,
        "events": ["JobReceived", PAYLOAD],
        **more,
    }


def test_page(client: Any, store: Any) -> None:
    rows = [entry(5, 0), entry(9, 5, request="r")]
    store.on(EventList, {"next": 9, "oldest": 5, "rows": rows})
    response = client("GET", "/ext/v1/events?after=4-0&limit=2", version=None)
    assert response.status == 200
    shown = '"events":[' + PAYLOAD + "]"
    assert response.body.decode() == (
        '{"value":[{"id":"5-0","call":"jr_job_create",' + shown + "},"
        '{"id":"9-0","call":"jr_job_create","requestId":"r","previous":"5-0",' + shown + "}],"
        '"next":"9-0","oldest":"5-0"}'
    )
    assert store.commands == [EventList(4, 2)]


def test_nothing_new(client: Any, store: Any) -> None:
    store.on(EventList, {"next": 9, "oldest": 5, "rows": []})
    assert client("GET", "/ext/v1/events?after=9", version=None).json == {"value": [], "oldest": "5-0"}
    store.on(EventList, {"next": 0, "oldest": 0, "rows": []})
    assert client("GET", "/ext/v1/events", version=None).json == {"value": []}


@pytest.mark.parametrize(
    ("after", "status"), [("", 200), ("0", 200), ("0-0", 200), ("3", 410), ("4", 200), ("8", 200)]
)
def test_entry_that_is_not_kept(client: Any, store: Any, after: str, status: int) -> None:
    kept = [entry(6, 4), entry(9, 6)]

    def reply(command: EventList) -> dict[str, Any]:
        rows = [row for row in kept if row["op"] > command.after]
        return {"next": rows[-1]["op"] if rows else command.after, "oldest": 6, "rows": rows}

    store.on(EventList, reply)
    response = client("GET", f"/ext/v1/events?after={after}", version=None)
    assert response.status == status
    if status == 410:
        assert response.error["code"] == "Gone"
        assert response.error["details"] == [{"code": "Oldest", "message": "6-0"}]


@pytest.mark.parametrize(
    "query", ["after=x", "after=-1", "after=5-1", "after=1e3", "after=" + "9" * 16, "limit=0", "limit=x"]
)
def test_bad_queries(client: Any, store: Any, query: str) -> None:
    assert client("GET", f"/ext/v1/events?{query}", version=None).status == 400
    assert store.commands == []


def test_limit_is_bounded(client: Any, store: Any) -> None:
    store.on(EventList, {"next": 0, "oldest": 0, "rows": []})
    client("GET", "/ext/v1/events?limit=99999", version=None)
    assert store.commands == [EventList(0, 1000)]


def test_authentication_is_needed(client: Any, store: Any) -> None:
    assert client.send("GET", "/ext/v1/events", b"", {"host": "localhost"}).status == 401
    assert store.commands == []
