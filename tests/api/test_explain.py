"""Explanations over HTTP."""

from __future__ import annotations

import json
from typing import Any

import pytest

from engine.commands import JobExplain, JobHistory, WorkerExplain
from engine.errors import Refused

HEAD = {
    "job": "j",
    "status": "queued",
    "queue": "q",
    "channel": "voice",
    "position": 2,
    "length": "3",
    "next": "",
}


def test_reasons_of_a_jobs_offers(client: Any, store: Any) -> None:
    offers = ["anna", "o-1", "1700000060000", "bert", "o-2", "1700000060500"]
    row = {"about": "job", "code": "maximum_of_offers", "open": 2, "maximum": 2, "offers": offers}
    next_offer = {"about": "change", "kind": "offer", "next": "worker", "worker": "carl"}
    store.on(JobExplain, {**HEAD, "rows": [row, next_offer]})
    response = client("GET", "/ext/v1/jobs/j:explain", version=None)
    assert response.status == 200
    assert response.json == {
        "jobId": "j",
        "status": "queued",
        "queueId": "q",
        "channelId": "voice",
        "position": 2,
        "queueLength": 3,
        "reasons": [
            {
                "code": "maximumOfOffers",
                "message": "The job is already offered to anna and bert, "
                "as many as its queue asks at a time: an answer is awaited until 2023-11-14 22:14:20 UTC.",
                "openOffers": 2,
                "maximum": 2,
                "offers": [
                    {"workerId": "anna", "offerId": "o-1", "expiresAt": "2023-11-14T22:14:20+00:00"},
                    {"workerId": "bert", "offerId": "o-2", "expiresAt": "2023-11-14T22:14:20.5+00:00"},
                ],
            }
        ],
        "changes": [
            {
                "kind": "offerExpiry",
                "at": "2023-11-14T22:14:20+00:00",
                "message": "At 2023-11-14 22:14:20 UTC its first offer ends unless it is answered: "
                "worker carl would be asked next.",
                "workerId": "carl",
                "next": "worker",
            }
        ],
    }
    assert store.commands == [JobExplain("j"), JobHistory("j")]


def test_how_open_offers_came_about(client: Any, store: Any) -> None:
    """Of the offers that are spoken of, as far as the log tells."""
    offers = ["anna", "o-1", "1700000060000", "bert", "o-2", "1700000060500"]
    row = {"about": "job", "code": "maximum_of_offers", "open": 2, "maximum": 2, "offers": offers}
    store.on(JobExplain, {**HEAD, "rows": [row]})
    holding = {"used": 1, "capacity": 2, "offers": 1, "assignments": 0, "availableSince": 7}
    decision = {"mode": "roundRobin", "way": "job", "offer": 2, "searched": 3, "considered": 2}
    decision |= {"worker": holding, "passed": {"declined": 1}, "after": "carl"}
    told = [{"offerId": "o-2", "decision": decision}, {"offerId": "o-0", "decision": decision}]
    told.append({"offerId": "o-1"})
    issued = [{"kind": "RouterWorkerOfferIssued", "event": json.dumps({"data": data})} for data in told]
    store.on(JobHistory, {"rows": [*issued, {"kind": "RouterJobQueued", "event": '{"data":{}}'}]})
    shown = client("GET", "/ext/v1/jobs/j:explain", version=None).json
    assert shown["decisions"] == {"o-2": decision}


def test_slices_are_put_together(client: Any, store: Any) -> None:
    lacking = {"code": "selector_failed", "key": '"skill"', "operator": "=", "value": '"x"'}
    barred = {
        "about": "sample",
        "of": "w1",
        "of_state": "active",
        "code": "declined",
        "until": "1700000005000",
    }
    runs_out = {"about": "change", "kind": "selectors", "at": "1700000009000"}
    staff = {"workers": 9, "on_queue": "8"}
    slices = [
        {"registered": 3, "fitting": 1, "ready": 1, "admits": 2, "admits_ready": 1, "next": "7"},
        {"registered": 4, "fitting": 2, "ready": 0, "admits": 3, "admits_ready": 0, "next": ""},
    ]
    rows = [
        [{**lacking, "about": "queue", "workers": 2, "alone": 1}, barred, runs_out],
        [
            {**lacking, "about": "queue", "workers": "2", "alone": "1"},
            {"about": "queue", "code": "busy", "workers": 2},
            {**lacking, "about": "sample", "of": "w2", "of_state": "inactive"},
        ],
    ]
    store.on(JobExplain, *({**HEAD, **staff, **slices[i], "rows": rows[i]} for i in range(2)))
    shown = client("GET", "/ext/v1/jobs/j:explain", version=None).json
    assert store.commands == [JobExplain("j"), JobExplain("j", cursor="7", sampled=1)]
    assert shown["workers"] == {
        "message": "7 workers are signed on to queue q, 3 of them fit the job, and 1 of these has room.",
        "total": 9,
        "onQueue": 8,
        "registered": 7,
        "fitting": 3,
        "ready": 1,
    }
    counts = [(row["code"], row["workers"], row.get("alone"), row["message"]) for row in shown["counts"]]
    assert counts == [
        ("notOnQueue", 1, None, "1 worker does not serve queue q."),
        ("notRegistered", 1, None, "1 worker of the queue is not signed on."),
        ("selectorFailed", 4, 2, "4 workers do not have skill x; 2 lack nothing else."),
        ("busy", 2, None, "2 workers fit but have no room now."),
    ]
    assert [(one["workerId"], one["state"]) for one in shown["sample"]] == [
        ("w1", "active"),
        ("w2", "inactive"),
    ]
    assert [row["code"] for one in shown["sample"] for row in one["reasons"]] == [
        "declined",
        "selectorFailed",
    ]
    retry, expiry = shown["changes"]
    assert (retry["kind"], retry["at"], retry["workerId"]) == ("retry", "2023-11-14T22:13:25+00:00", "w1")
    assert (expiry["kind"], expiry["admits"], expiry["admitsReady"]) == ("selectorExpiry", 5, 1)
    assert expiry["message"] == (
        "At 2023-11-14 22:13:29 UTC the next selector runs out: 5 more workers fit, 1 of these with room now."
    )


def test_reasons_of_a_worker(client: Any, store: Any) -> None:
    rows = [
        {
            "about": "worker",
            "code": "selector_failed",
            "key": '"skill"',
            "operator": ">=",
            "value": "5",
            "has": "3",
            "expires_at": 1700000060000,
        },
        {
            "about": "worker",
            "code": "capacity_full",
            "needed": 2,
            "free": 1,
            "capacity": 3,
            "held": ["first", "assignment", 2],
            "holds": 1,
        },
        {
            "about": "worker",
            "code": "outranked",
            "rule": "bestWorker",
            "asked": ["bert"],
            "score": "0.5",
            "other_score": "1",
        },
    ]
    store.on(JobExplain, {**HEAD, "worker": "anna/x", "state": "active", "rows": rows})
    response = client("GET", "/ext/v1/jobs/j:explain?workerId=anna%2Fx", version=None)
    assert store.commands == [JobExplain("j", "anna/x")]
    shown = response.json["worker"]
    messages = [reason.pop("message") for reason in shown["reasons"]]
    assert messages[0] == (
        "The job asks for skill of at least 5 until 2023-11-14 22:14:20 UTC, but worker anna/x has 3."
    )
    assert shown == {
        "workerId": "anna/x",
        "state": "active",
        "reasons": [
            {
                "code": "selectorFailed",
                "key": "skill",
                "labelOperator": "greaterThanOrEqual",
                "value": 5,
                "has": 3,
                "expiresAt": "2023-11-14T22:14:20+00:00",
            },
            {
                "code": "capacityFull",
                "needed": 2,
                "free": 1,
                "capacity": 3,
                "held": [{"jobId": "first", "kind": "assignment", "capacityCost": 2}],
                "heldCount": 1,
            },
            {
                "code": "outranked",
                "rule": "bestWorker",
                "askedWorkerIds": ["bert"],
                "rank": {"score": 0.5},
                "askedRank": {"score": 1.0},
            },
        ],
    }


@pytest.mark.parametrize("what", ["job", "worker"])
def test_what_is_unknown(client: Any, store: Any, what: str) -> None:
    store.on(JobExplain, Refused("NOT_FOUND", f"The {what} was not found."))
    response = client("GET", "/ext/v1/jobs/j:explain?workerId=w", version=None)
    assert (response.status, response.error["code"]) == (404, "NotFound")
    assert response.error["message"] == f"The {what} was not found."


def test_ids_with_colons(client: Any, store: Any) -> None:
    store.on(JobExplain, {**HEAD, "rows": []})
    assert client("GET", "/ext/v1/jobs/a:explain:explain", version=None).status == 200
    assert store.commands == [JobExplain("a:explain")]


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("POST", "/ext/v1/jobs/j:explain", 405),
        ("DELETE", "/ext/v1/jobs/j:explain", 405),
        ("GET", "/ext/v1/jobs/j:other", 404),
        ("GET", "/ext/v1/jobs/j", 404),
        ("GET", "/ext/v1/jobs/:explain", 404),
        ("GET", "/ext/v1/jobs/j:explain?workerId=" + "x" * 257, 400),
    ],
)
def test_wrong_requests(client: Any, store: Any, method: str, path: str, status: int) -> None:
    response = client(method, path, version=None)
    assert response.status == status
    assert response.headers.get("allow") == ("GET" if status == 405 else None)
    assert store.commands == []


WORKER = {"worker": "anna", "state": "active", "capacity": "3", "used": 2, "open": 1, "limit": 1000}


def test_worker_that_gets_nothing(client: Any, store: Any) -> None:
    missing = {"about": "job", "of": "j", "whose": "worker", "code": "channel_missing", "channel": "chat"}
    full = {"code": "capacity_full", "channel": "voice", "needed": 2, "free": 1, "capacity": 3}
    first = [
        {"about": "worker", **full, "held": ["first", "offer", "2"], "holds": 1},
        {"about": "queue", "queue": "q", "length": 7},
        {"about": "waiting", "queue": "q", "of": "j"},
        {"about": "job", "of": "j", "whose": "job", "code": "behind_jobs", "ahead": 1, "jobs": ["i"]},
        missing,
    ]
    rest = [{"about": "queue", "queue": "r", "length": "0"}]
    store.on(
        WorkerExplain,
        {**WORKER, "next_job": "k", "next_queue": "q", "next": 10, "rows": first},
        {**WORKER, "next": 0, "rows": rest},
    )
    response = client("GET", "/ext/v1/workers/anna:explain", version=None)
    assert response.status == 200
    assert store.commands == [WorkerExplain("anna"), WorkerExplain("anna", 10)]
    assert response.json == {
        "workerId": "anna",
        "state": "active",
        "capacity": 3,
        "used": 2,
        "openOffers": 1,
        "offerLimit": 1000,
        "reasons": [
            {
                "code": "capacityFull",
                "message": "Worker anna has no room on channel voice: "
                "a job needs 2 of its capacity of 3, and 1 is free; it holds first (offer).",
                "channelId": "voice",
                "needed": 2,
                "free": 1,
                "capacity": 3,
                "held": [{"jobId": "first", "kind": "offer", "capacityCost": 2}],
                "heldCount": 1,
            }
        ],
        "nextJob": {"jobId": "k", "queueId": "q"},
        "queues": [
            {
                "queueId": "q",
                "length": 7,
                "jobs": [
                    {
                        "jobId": "j",
                        "reasons": [
                            {
                                "code": "behindJobs",
                                "message": "1 job of the same needs waits before it: i.",
                                "ahead": 1,
                                "jobIds": ["i"],
                            },
                            {
                                "code": "channelMissing",
                                "message": "Worker anna does not take channel chat.",
                                "channelId": "chat",
                            },
                        ],
                    }
                ],
            },
            {"queueId": "r", "length": 0, "jobs": []},
        ],
    }


def test_queues_of_a_worker_in_pages(client: Any, store: Any) -> None:
    def reply(command: WorkerExplain) -> dict[str, Any]:
        rows = [
            {"about": "queue", "queue": f"q{n}", "length": 0}
            for n in range(command.start, command.start + 10)
        ]
        return {**WORKER, "next": command.start + 10, "rows": rows}

    store.on(WorkerExplain, reply)
    first = client("GET", "/ext/v1/workers/anna:explain", version=None).json
    assert (len(first["queues"]), first["next"]) == (100, "100")
    second = client("GET", "/ext/v1/workers/anna:explain?after=100", version=None).json
    assert (second["queues"][0]["queueId"], second["next"]) == ("q100", "200")
    assert client("GET", "/ext/v1/workers/anna:explain?after=x", version=None).status == 400
