"""The outbox for clients that pull."""

from __future__ import annotations

from typing import Any

import pytest

from api import events
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
    store.on(EventList, {"next": 9, "oldest": 5, "last": 9, "rows": rows})
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
    store.on(EventList, {"next": 9, "oldest": 5, "last": 9, "rows": []})
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
        return {"next": rows[-1]["op"] if rows else command.after, "oldest": 6, "last": 9, "rows": rows}

    store.on(EventList, reply)
    response = client("GET", f"/ext/v1/events?after={after}", version=None)
    assert response.status == status
    if status == 410:
        assert response.error["code"] == "Gone"
        assert response.error["details"] == [{"code": "Oldest", "message": "6-0"}]


def test_place_that_the_log_has_not_come_to(client: Any, store: Any) -> None:
    """It is not lost; but a client that goes on from there would miss what comes before it."""
    store.on(EventList, {"next": 99999, "oldest": 5, "last": 9, "rows": []})
    response = client("GET", "/ext/v1/events?after=99999-0", version=None)
    assert response.status == 410
    assert "has not come to 99999-0: its last entry is 9-0" in response.error["message"]
    assert "not kept" not in response.error["message"]
    assert response.error["details"] == [{"code": "Oldest", "message": "5-0"}]


def test_a_misspelt_parameter_is_shown_as_it_was_written(client: Any) -> None:
    response = client("GET", "/ext/v1/events?queueIdd=x", version=None)
    assert response.error["message"].startswith("The query parameter 'queueIdd' is not known here")


@pytest.mark.parametrize(
    "query", ["after=x", "after=-1", "after=5-1", "after=1e3", "after=" + "9" * 16, "limit=0", "limit=x"]
)
def test_bad_queries(client: Any, store: Any, query: str) -> None:
    assert client("GET", f"/ext/v1/events?{query}", version=None).status == 400
    assert store.commands == []


def test_limit_is_bounded(client: Any, store: Any) -> None:
    log_of(store, [job_entry(number, "a") for number in range(1, 1500)])
    page = client("GET", "/ext/v1/events?limit=99999", version=None).json
    assert len(page["value"]) == 1000
    assert page["next"] == "1000-0"
    portions = range(0, 1000, events.PORTION)
    assert store.commands == [EventList(after, events.PORTION) for after in portions]


def test_a_limit_that_is_no_multiple_of_a_portion(client: Any, store: Any) -> None:
    log_of(store, [job_entry(number, "a") for number in range(1, 400)])
    page = client("GET", "/ext/v1/events?limit=250", version=None).json
    assert [row["id"] for row in page["value"]] == [f"{number}-0" for number in range(1, 251)]
    assert page["next"] == "250-0"
    assert store.commands == [EventList(0, 200), EventList(200, 50)]


def test_authentication_is_needed(client: Any, store: Any) -> None:
    assert client.send("GET", "/ext/v1/events", b"", {"host": "localhost"}).status == 401
    assert store.commands == []


def job_entry(number: int, *jobs: str) -> dict[str, Any]:
    """An entry with an event of each of these jobs."""
    pairs = [
        ("RouterJobReceived", f'{{"subject":"job/{job}","data":{{"jobId":"{job}","channelId":"c"}}}}')
        for job in jobs
    ]
    return entry(number, number - 1, events=[text for pair in pairs for text in pair])


def log_of(store: Any, rows: list[dict[str, Any]]) -> None:
    """A log with these entries."""

    def reply(command: EventList) -> dict[str, Any]:
        shown = [row for row in rows if row["op"] > command.after][: command.limit]
        following = shown[-1]["op"] if shown else command.after
        return {"next": following, "oldest": rows[0]["op"], "last": rows[-1]["op"], "rows": shown}

    store.on(EventList, reply)


def test_filters_leave_out_events_and_empty_entries(client: Any, store: Any) -> None:
    log_of(store, [job_entry(1, "a", "b"), job_entry(2, "b"), job_entry(3, "b", "a"), job_entry(4, "b")])
    page = client("GET", "/ext/v1/events?jobId=a", version=None).json
    assert [(row["id"], [e["data"]["jobId"] for e in row["events"]]) for row in page["value"]] == [
        ("1-0", ["a"]),
        ("3-0", ["a"]),
    ]
    # so far has it looked
    assert page["next"] == "4-0"
    assert page["oldest"] == "1-0"
    assert client("GET", "/ext/v1/events?jobId=a&after=4-0", version=None).json == {
        "value": [],
        "oldest": "1-0",
    }


def test_a_filtered_page_ends_with_its_last_entry(client: Any, store: Any) -> None:
    log_of(store, [job_entry(number, "a" if number % 3 == 0 else "b") for number in range(1, 30)])
    page = client("GET", "/ext/v1/events?jobId=a&limit=2", version=None).json
    assert [row["id"] for row in page["value"]] == ["3-0", "6-0"]
    after = page["next"]
    page = client("GET", f"/ext/v1/events?jobId=a&limit=2&after={after}", version=None).json
    assert [row["id"] for row in page["value"]] == ["9-0", "12-0"]


def test_a_filtered_page_looks_at_so_many_entries(client: Any, store: Any) -> None:
    last = events.SCANNED + 7
    log_of(store, [job_entry(number, "a" if number == last else "b") for number in range(1, last + 1)])
    page = client("GET", "/ext/v1/events?jobId=a", version=None).json
    assert page == {"value": [], "next": f"{events.SCANNED}-0", "oldest": "1-0"}
    assert len(store.commands) == events.SCANNED // events.PORTION
    page = client("GET", f"/ext/v1/events?jobId=a&after={events.SCANNED}", version=None).json
    assert [row["id"] for row in page["value"]] == [f"{last}-0"]


def test_a_filter_that_is_misspelt_is_refused(client: Any, store: Any) -> None:
    response = client("GET", "/ext/v1/events?job=a")
    assert response.status == 400
    assert "'job' is not known here" in response.error["message"]
    assert "jobId" in response.error["message"]
    assert store.commands == []
