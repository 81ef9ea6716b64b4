"""Lists: filters, pages, links."""

from __future__ import annotations

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import Any
from urllib.parse import quote, urlsplit

import pytest

from engine.commands import Command, JobList, PolicyList, QueueList, WorkerList

LISTS: list[tuple[str, str, Command]] = [
    ("jobs", "job", JobList()),
    ("workers", "worker", WorkerList()),
    ("queues", "queue", QueueList()),
    ("classificationPolicies", "classification", PolicyList("classification")),
    ("distributionPolicies", "distribution", PolicyList("distribution")),
    ("exceptionPolicies", "exception", PolicyList("exception")),
]


@pytest.mark.parametrize(("path", "kind", "command"), LISTS)
def test_lists(client: Any, store: Any, make_record: Any, path: str, kind: str, command: Command) -> None:
    store.on(type(command), {"next": 0, "rows": [make_record(kind, id="b"), make_record(kind, id="a")]})
    response = client("GET", f"/routing/{path}")
    assert response.status == 200
    assert list(response.json) == ["value"]
    assert [item["id"] for item in response.json["value"]] == ["b", "a"]
    assert store.commands == [command]
    assert "etag" not in response.headers


@pytest.mark.parametrize(("path", "kind", "command"), LISTS)
def test_empty_lists(client: Any, store: Any, path: str, kind: str, command: Command) -> None:
    store.on(type(command), {"next": 0, "rows": []})
    assert client("GET", f"/routing/{path}").body == b'{"value":[]}'


@pytest.mark.parametrize(
    ("query", "command"),
    [
        ("status=all", JobList()),
        ("status=", JobList()),
        ("status=active", JobList(status="active")),
        ("status=WaitingForActivation", JobList(status="waitingForActivation")),
        (
            "queueId=a%2Fb&channelId=c+d&classificationPolicyId=%C3%A9",
            JobList(queue="a/b", channel="c d", classification="é"),
        ),
        ("QUEUEID=q", JobList(queue="q")),
        ("scheduledBefore=2023-11-14T22%3A13%3A20.5Z", JobList(scheduled_before=1700000000500)),
        ("scheduledAfter=2023-11-14T22:13:20+00:00", JobList(scheduled_after=1700000000000)),
        ("scheduledBefore=9999-12-31T23:59:59.9999999Z", JobList(scheduled_before=253402300799999)),
        ("scheduledAfter=1960-01-01T00:00:00Z", JobList(scheduled_after=1)),
        ("maxpagesize=7", JobList(7)),
        ("maxPageSize=5000", JobList(1000)),
        ("unknown=1", JobList()),
    ],
)
def test_filters_of_jobs(client: Any, store: Any, query: str, command: JobList) -> None:
    store.on(JobList, {"next": 0, "rows": []})
    assert client("GET", f"/routing/jobs?{query}").status == 200
    assert store.commands == [command]


@pytest.mark.parametrize(
    ("query", "command"),
    [
        ("state=draining", WorkerList(state="draining")),
        ("state=all&hasCapacity=false", WorkerList()),
        ("hasCapacity=True&channelId=c&queueId=q", WorkerList(channel="c", queue="q", has_capacity=True)),
    ],
)
def test_filters_of_workers(client: Any, store: Any, query: str, command: WorkerList) -> None:
    store.on(WorkerList, {"next": 0, "rows": []})
    assert client("GET", f"/routing/workers?{query}").status == 200
    assert store.commands == [command]


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("jobs?status=sleeping", "'status' is not valid: 'sleeping' is none of"),
        ("jobs?scheduledBefore=now", "'scheduledBefore' is not valid"),
        ("jobs?scheduledAfter=2024-01-01T00:00:00", "'scheduledAfter' is not valid"),
        ("jobs?queueId=" + "q" * 257, "'queueId' is not valid"),
        ("jobs?channelId=%00", "'channelId' is not valid"),
        ("jobs?maxpagesize=0", "'maxpagesize' is not valid"),
        ("jobs?maxpagesize=-1", "'maxpagesize' is not valid"),
        ("jobs?maxpagesize=1.5", "'maxpagesize' is not valid"),
        ("jobs?maxpagesize=%C2%B2", "'maxpagesize' is not valid"),
        ("jobs?maxpagesize=" + "9" * 5000, "'maxpagesize' is not valid"),
        ("workers?state=gone", "'state' is not valid"),
        ("workers?hasCapacity=1", "'hasCapacity' is not valid"),
        ("queues?maxpagesize=x", "'maxpagesize' is not valid"),
        ("jobs?continuationToken=x", "'continuationToken' is not valid"),
        ("jobs?continuationToken=!!!", "'continuationToken' is not valid"),
        ("jobs?continuationToken=%C3%A9", "'continuationToken' is not valid"),
    ],
)
def test_bad_filters(client: Any, store: Any, path: str, text: str) -> None:
    response = client("GET", f"/routing/{path}")
    assert response.status == 400
    assert text in response.error["message"]
    assert store.commands == []


def test_pages(client: Any, store: Any, make_record: Any) -> None:
    store.on(
        JobList,
        {"next": 90, "rows": [make_record("job", id="c"), make_record("job", id="b")]},
        {"next": 0, "rows": [make_record("job", id="a")]},
    )
    first = client("GET", "/routing/jobs?status=queued&queueId=q%20~%2B&maxpagesize=2").json
    link = first["nextLink"]
    assert link.startswith("/routing/jobs?continuationToken=")
    token = link.partition("=")[2]
    assert quote(token, safe="") == token
    assert "=" not in token
    last = client("GET", link).json
    assert list(last) == ["value"]
    assert store.commands == [
        JobList(2, 0, status="queued", queue="q ~+"),
        JobList(2, 90, status="queued", queue="q ~+"),
    ]


def test_page_that_is_empty_may_have_a_next_one(client: Any, store: Any) -> None:
    store.on(QueueList, {"next": 5, "rows": []})
    page = client("GET", "/routing/queues").json
    assert page["value"] == []
    assert page["nextLink"]


def test_size_given_again_with_a_token_counts(client: Any, store: Any) -> None:
    store.on(QueueList, {"next": 5, "rows": []})
    link = client("GET", "/routing/queues?maxpagesize=2").json["nextLink"]
    client("GET", f"{link}&maxpagesize=3&status=ignored")
    assert store.commands[-1] == QueueList(3, 5)


def test_absolute_links(make_client: Any, store: Any) -> None:
    store.on(QueueList, {"next": 5, "rows": []})
    client = make_client(public_base_url="https://router.example.com/")
    link = client("GET", "/routing/queues").json["nextLink"]
    assert link.startswith("https://router.example.com/routing/queues?continuationToken=")
    parts = urlsplit(link)
    assert client("GET", f"{parts.path}?{parts.query}").status == 200
    assert store.commands[-1] == QueueList(100, 5)


def forge(token: str, change: Any) -> str:
    fields = json.loads(urlsafe_b64decode(token + "=" * (-len(token) % 4)))
    return urlsafe_b64encode(json.dumps(change(fields)).encode()).decode().rstrip("=")


@pytest.mark.parametrize(
    "change",
    [
        lambda fields: {},
        lambda fields: [],
        lambda fields: ["/routing/workers", *fields[1:]],
        lambda fields: [fields[0], 0, *fields[2:]],
        lambda fields: [fields[0], 1001, *fields[2:]],
        lambda fields: [fields[0], "2", *fields[2:]],
        lambda fields: [*fields[:2], 0, fields[3]],
        lambda fields: [*fields[:2], -1, fields[3]],
        lambda fields: [*fields[:2], 2**60, fields[3]],
        lambda fields: [*fields[:3], {"status": 5}],
        lambda fields: [*fields[:3], {"status": "sleeping"}],
    ],
)
def test_forged_tokens(client: Any, store: Any, change: Any) -> None:
    store.on(JobList, {"next": 5, "rows": []})
    token = client("GET", "/routing/jobs").json["nextLink"].partition("=")[2]
    store.commands.clear()
    assert client("GET", f"/routing/jobs?continuationToken={forge(token, change)}").status == 400
    assert store.commands == []
