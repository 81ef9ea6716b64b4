"""The life of a job or worker over HTTP."""

from __future__ import annotations

from typing import Any

import pytest

from engine.commands import JobHistory, WorkerHistory

PAYLOAD = '{"id":"e","data":{"jobId":"j","big":12345678901234567890}}'


def event(place: str, kind: str = "RouterJobQueued", at: int = 1_700_000_000_000, **more: Any) -> Any:
    row = {"place": place, "op": int(place.split(".")[0]), "at": str(at), "call": "jr_job_create"}
    return {**row, "request": "", "kind": kind, "event": PAYLOAD, **more}


def reply(*rows: Any, **more: Any) -> Any:
    least = {"now": 1_700_000_005_000, "ends_at": 0, "next": "", "cut": "", "oldest": 0}
    return {**least, "status": "queued", "offers": 0, "rows": list(rows), **more}


def test_page(client: Any, store: Any) -> None:
    store.on(JobHistory, reply(event("4.2", request="r"), next="4.2"))
    response = client("GET", "/ext/v1/jobs/a%2Fb/history?limit=1", version=None)
    assert response.status == 200
    # the payload as it was told, digit for digit
    assert response.body.decode() == (
        '{"id":"a/b","state":"waiting","value":[{"id":"4.2","time":"2023-11-14T22:13:20+00:00",'
        '"type":"RouterJobQueued","op":4,"call":"jr_job_create","requestId":"r","state":"waiting",'
        '"seconds":5.0,"event":' + PAYLOAD + '}],"durations":{"waiting":5.0},"next":"4.2"}'
    )
    assert store.commands == [JobHistory("a/b", "", 1)]


def test_page_before_an_event(client: Any, store: Any) -> None:
    store.on(JobHistory, reply(event("4.2"), ends_at=1_700_000_002_500, cut="3.1", oldest=4))
    shown = client("GET", "/ext/v1/jobs/j/history?before=9.1", version=None).json
    assert shown["durations"] == {"waiting": 2.5}
    assert shown["cut"] == {"id": "3.1", "oldest": "4-0"}
    assert "next" not in shown
    assert store.commands == [JobHistory("j", "9.1", 100)]


def test_a_page_is_read_in_portions(client: Any, store: Any) -> None:
    rows = [event(f"{n}.1") for n in range(250, 0, -1)]

    def portion(command: JobHistory) -> Any:
        from_ = int(command.before.split(".")[0]) if command.before else 251
        found = rows[251 - from_ :][: command.limit]
        return reply(*found, next="" if found[-1]["op"] == 1 else found[-1]["place"])

    store.on(JobHistory, portion)
    shown = client("GET", "/ext/v1/jobs/j/history?limit=9999", version=None).json
    assert [row["op"] for row in shown["value"]] == list(range(250, 0, -1))
    assert [command.limit for command in store.commands] == [100, 100, 100]
    shown = client("GET", "/ext/v1/jobs/j/history?limit=150", version=None).json
    assert (len(shown["value"]), shown["next"]) == (150, "101.1")


def test_state_at_the_beginning_of_a_page(client: Any, store: Any) -> None:
    """A declined offer alone does not tell whether others are open: what was before is read too."""
    issued = '{"data":{"offerId":"o%d"}}'  # as it was before offers told how they came about
    rows = [
        event("4.1", "RouterWorkerOfferDeclined", event=issued % 1),
        event("3.2", "RouterWorkerOfferIssued", event=issued % 2),
        event("3.1", "RouterWorkerOfferIssued", event=issued % 1),
        event("2.1"),
    ]
    store.on(JobHistory, reply(rows[0], next="4.1", offers=1), reply(*rows[1:]))
    shown = client("GET", "/ext/v1/jobs/j/history?limit=1", version=None).json
    assert [(row["id"], row["state"]) for row in shown["value"]] == [("4.1", "offered")]
    assert shown["next"] == "4.1"
    assert store.commands[1:] == [JobHistory("j", "4.1", 100)]


def test_worker(client: Any, store: Any) -> None:
    rows = [event("4.2", "RouterWorkerRegistered")]
    store.on(WorkerHistory, {**reply(*rows), "state": "active", "offers": 0, "assignments": 1})
    shown = client("GET", "/ext/v1/workers/w/history", version=None).json
    assert (shown["state"], shown["value"][0]["type"]) == ("busy", "RouterWorkerRegistered")
    assert store.commands == [WorkerHistory("w")]


@pytest.mark.parametrize("query", ["before=x", "before=1", "before=1.x", "before=-1.1", "limit=0", "limit=x"])
def test_bad_queries(client: Any, store: Any, query: str) -> None:
    assert client("GET", f"/ext/v1/jobs/j/history?{query}", version=None).status == 400
    assert store.commands == []


def test_unknown(client: Any) -> None:
    for path in ("jobs/j", "workers/w"):
        response = client("GET", f"/ext/v1/{path}/history", version=None)
        assert (response.status, response.error["code"]) == (404, "NotFound")
    assert client("POST", "/ext/v1/jobs/j/history", version=None).status == 405
    assert client("GET", "/ext/v1/jobs//history", version=None).status == 404


def test_authentication_is_needed(client: Any, store: Any) -> None:
    assert client.send("GET", "/ext/v1/jobs/j/history", b"", {"host": "localhost"}).status == 401
    assert store.commands == []
