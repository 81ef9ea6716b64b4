"""The frame of every request: paths, methods, versions, limits, headers, errors, and the other pages."""

from __future__ import annotations

import asyncio
import re
from typing import Any

import pytest

import engine.commands
from api.app import ROUTES
from api.serving import body
from engine.commands import (
    JobCancel,
    JobCreate,
    JobDelete,
    JobRead,
    OfferAccept,
    QueueDelete,
    QueueRead,
    QueueStatistics,
)
from engine.errors import OutOfMemory, Refused, Unavailable
from tests.api.conftest import VIEW_KEY

MISSING = "The item was not found."


def test_there_are_all_operations() -> None:
    assert sum(route.split(" ")[1].startswith("/routing/") for route in ROUTES) == 33


@pytest.mark.parametrize(
    ("escaped", "job_id"),
    [
        ("x", "x"),
        ("a%2Fb", "a/b"),
        ("a%20b", "a b"),
        ("a:b@(c)", "a:b@(c)"),
        ("x:cancel", "x:cancel"),
        ("%C3%A9%F0%9F%98%80", "é😀"),
        ("a%0Ab", "a\nb"),
        ("..", ".."),
        ("100%25", "100%"),
        ("%7B%7D", "{}"),
        ("+", "+"),
        ("a" * 256, "a" * 256),
        ("%C3%A9" * 256, "é" * 256),
    ],
)
def test_ids_of_any_characters(client: Any, store: Any, escaped: str, job_id: str) -> None:
    assert client("GET", f"/routing/jobs/{escaped}").status == 404
    assert store.commands == [JobRead(job_id)]


@pytest.mark.parametrize("escaped", ["a%00b", "%FF", "%C3", "%ED%A0%80", "%", "%2", "%zz", "a%", "a" * 257])
def test_bad_ids(client: Any, store: Any, escaped: str) -> None:
    response = client("GET", f"/routing/jobs/{escaped}")
    assert response.status == 400
    assert response.error["code"] == "BadRequest"
    assert store.commands == []


@pytest.mark.parametrize(
    ("path", "job_id"),
    [("a:b:cancel", "a:b"), ("a%3Acancel:cancel", "a:cancel"), (":cancel:cancel", ":cancel")],
)
def test_action_follows_the_last_colon(client: Any, store: Any, path: str, job_id: str) -> None:
    store.on(JobCancel, {"op": 1})
    assert client("POST", f"/routing/jobs/{path}").status == 200
    assert store.commands == [JobCancel(job_id)]


def test_ids_around_an_action(client: Any, store: Any) -> None:
    store.on(OfferAccept, {"op": 1, "assignment": "a", "job": "j", "worker": "w/1"})
    response = client("POST", "/routing/workers/w%2F1/offers/o%3A1:accept")
    assert store.commands == [OfferAccept("w/1", "o:1")]
    assert response.json == {"assignmentId": "a", "jobId": "j", "workerId": "w/1"}


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/routing/"),
        ("GET", "/routing/jobs/"),
        ("GET", "/routing//jobs"),
        ("GET", "/routing/jobs//x"),
        ("GET", "/routing/jobs/x/"),
        ("GET", "/routing/jobs//position"),
        ("GET", "/routing/Jobs/x"),
        ("GET", "/routing/%6Aobs/x"),
        ("GET", "/routing/tasks"),
        ("GET", "/routing/queues/x/position"),
        ("GET", "/routing/jobs/x/position/y"),
        ("POST", "/routing/jobs/x:explode"),
        ("POST", "/routing/jobs/:cancel"),
        ("POST", "/routing/jobs/x/assignments/a"),
        ("POST", "/routing/jobs/x/assignments/:close"),
        ("POST", "/routing/jobs//assignments/a:close"),
        ("POST", "/routing/jobs/x/assignments/a:accept"),
        ("GET", "/routing/jobs/x/assignments/a"),
        ("GET", "/ext/v1/nothing"),
        ("GET", "/ext/"),
        ("GET", "/ext/v2/events"),
        ("GET", "/ext/v1/events/"),
    ],
)
def test_unknown_paths(client: Any, store: Any, method: str, path: str) -> None:
    response = client(method, path)
    assert response.status == 404
    assert response.error == {
        "code": "NotFound",
        "message": "The requested path does not exist.",
        "target": path,
    }
    assert store.commands == []


@pytest.mark.parametrize(
    ("method", "path", "allow"),
    [
        ("PUT", "/routing/jobs/x", "DELETE, GET, PATCH"),
        ("POST", "/routing/jobs/x", "DELETE, GET, PATCH"),
        ("POST", "/routing/jobs", "GET"),
        ("HEAD", "/routing/jobs", "GET"),
        ("OPTIONS", "/routing/queues/x", "DELETE, GET, PATCH"),
        ("PATCH", "/routing/queues/x/statistics", "GET"),
        ("GET", "/routing/jobs/x/assignments/a:close", "POST"),
        ("get", "/routing/jobs/x", "DELETE, GET, PATCH"),
        ("POST", "/ext/v1/events", "GET"),
    ],
)
def test_wrong_methods(client: Any, store: Any, method: str, path: str, allow: str) -> None:
    response = client(method, path)
    assert response.status == 405
    assert response.headers["allow"] == allow
    assert response.error["code"] == "MethodNotAllowed"
    assert store.commands == []


@pytest.mark.parametrize("version", ["2023-11-01", "2024-01-18-preview"])
def test_both_versions(client: Any, version: str) -> None:
    assert client("GET", "/routing/jobs/x", version=version).error["message"] == MISSING


@pytest.mark.parametrize("query", ["", "?api-version=", "?api-version=2022-07-18-preview", "?x=1"])
def test_other_versions(client: Any, store: Any, query: str) -> None:
    response = client("GET", f"/routing/jobs/x{query}", version=None)
    assert response.status == 400
    assert response.error["code"] == "UnsupportedApiVersion"
    assert "2023-11-01" in response.error["message"]
    assert store.commands == []


@pytest.mark.parametrize(
    "query",
    [
        "API-Version=2023-11-01",
        "x=1&api-version=2023-11-01",
        "api-version=2023%2D11-01",
        "&api-version=2023-11-01&",
    ],
)
def test_version_among_others(client: Any, store: Any, query: str) -> None:
    assert client("GET", f"/routing/jobs/x?{query}", version=None).status == 404
    assert store.commands == [JobRead("x")]


@pytest.mark.parametrize("query", ["a=%FF", "&".join(["a=1"] * 101)])
def test_bad_queries(client: Any, query: str) -> None:
    assert client("GET", f"/routing/jobs/x?{query}").status == 400


def test_common_headers(client: Any) -> None:
    response = client("GET", "/routing/jobs/x", headers={"x-ms-client-request-id": "abc"})
    assert response.headers["content-type"] == "application/json; charset=utf-8"
    assert response.headers["content-length"] == str(len(response.body))
    assert response.headers["api-supported-versions"] == "2023-11-01, 2024-01-18-preview"
    assert re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", response.headers["trace-id"])
    assert "x-ms-client-request-id" not in response.headers
    assert "retry-after" not in response.headers


def test_an_answer_to_a_write_tells_its_number(client: Any, store: Any) -> None:
    store.on(JobCancel, {"op": 17})
    assert client("POST", "/routing/jobs/x:cancel", {}).headers["x-jobrouter-op"] == "17"
    store.on(JobDelete, {"op": 18, "outcome": "deleted"})
    assert client("DELETE", "/routing/jobs/x").headers["x-jobrouter-op"] == "18"


def test_an_upsert_that_changes_nothing_tells_no_number(client: Any, store: Any) -> None:
    """What it found was not written by it, and may be older than what it answers."""
    job = {"id": "x", "doc": 1, "rev": 1, "channel": "v", "queue": "q", "status": "queued"}
    store.on(JobCreate, {"op": 17, "outcome": "exists", **job})
    answer = client("PATCH", "/routing/jobs/x", {"channelId": "v", "queueId": "q"})
    assert answer.status == 200
    assert "x-jobrouter-op" not in answer.headers


def test_other_answers_tell_no_number(client: Any, store: Any) -> None:
    store.on(QueueStatistics, {"id": "q", "rev": 1, "modified_at": 1, "length": 0, "longest_ms": -1, "op": 7})
    store.on(JobCancel, Refused("CONFLICT", "too late"))
    for method, path in (
        ("GET", "/routing/queues/q/statistics"),
        ("GET", "/routing/jobs/x"),
        ("POST", "/routing/jobs/x:cancel"),
    ):
        answer = client(method, path, {} if method == "POST" else None)
        assert answer.status in (200, 404, 409)
        assert "x-jobrouter-op" not in answer.headers


def test_request_id_is_echoed_when_asked_for(client: Any) -> None:
    headers = {"x-ms-client-request-id": "abc", "x-ms-return-client-request-id": "true"}
    assert client("GET", "/routing/jobs/x", headers=headers).headers["x-ms-client-request-id"] == "abc"


def test_trace_of_the_client(client: Any) -> None:
    headers = {"traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"}
    response = client("GET", "/routing/jobs/x", headers=headers)
    assert response.headers["trace-id"] == "0af76519-16cd-43dd-8448-eb211c80319c"


@pytest.mark.parametrize(
    ("error", "status", "code", "text"),
    [
        (Refused("NOT_FOUND", MISSING), 404, "NotFound", MISSING),
        (Refused("CONFLICT", "The job is closed."), 409, "Conflict", "The job is closed."),
        (Refused("TAKEN", "too late"), 409, "Conflict", "too late"),
        (Refused("LIMIT", "3 times"), 409, "Conflict", "3 times"),
        (Refused("INVALID", "queue 'q' does not exist"), 400, "BadRequest", "queue 'q' does not exist"),
        (Refused("BAD_CALL", "id is missing"), 400, "BadRequest", "id is missing"),
        (Refused("CHANGED", "changed"), 503, "ServiceUnavailable", "changed"),
        (Refused("VERSION", "newer"), 503, "ServiceUnavailable", "newer"),
        (Unavailable("no Redis"), 503, "ServiceUnavailable", "no Redis"),
        (OutOfMemory("full"), 503, "OutOfMemory", "full"),
        (Refused("STRANGE", "odd"), 500, "InternalServerError", "odd"),
    ],
)
def test_errors_of_the_engine(
    client: Any, store: Any, error: Exception, status: int, code: str, text: str
) -> None:
    store.on(JobRead, error)
    response = client("GET", "/routing/jobs/x")
    assert response.status == status
    assert response.error == {"code": code, "message": text, "target": "/routing/jobs/x"}
    assert ("retry-after" in response.headers) == (status == 503)


def test_failure_of_the_server_tells_nothing(
    client: Any, store: Any, caplog: pytest.LogCaptureFixture
) -> None:
    store.on(JobRead, ZeroDivisionError("inside"))
    response = client("GET", "/routing/jobs/x")
    assert response.status == 500
    assert b"inside" not in response.body
    assert "inside" in caplog.text


CONFLICT = "Validation failed: \r\n -- "


@pytest.mark.parametrize(
    ("path", "words", "status", "message", "details"),
    [
        ("jobs", "active", 409, CONFLICT + "JobStatus: The job is neither closed nor cancelled", None),
        ("queues", "jobs", 409, CONFLICT + ": There is active job with this queue", None),
        (
            "queues",
            "jobs fallback workers",
            409,
            CONFLICT + ": There is active job with this queue\r\n -- "
            ": There is classification policy with this queue as fallback queue\r\n -- "
            ": There is an assigned worker to this queue",
            None,
        ),
        (
            "classificationPolicies",
            "classification",
            400,
            "One or more validation errors occurred.",
            ("ActiveJobWithClassificationPolicyExist", "There is active job with this classification policy"),
        ),
        (
            "distributionPolicies",
            "distribution",
            400,
            "One or more validation errors occurred.",
            ("QueueExistsWithDistributionPolicy", "There is a queue with this distribution policy"),
        ),
        (
            "exceptionPolicies",
            "exception",
            400,
            "One or more validation errors occurred.",
            ("QueueExistsWithExceptionPolicy", "There is a queue with this exception policy"),
        ),
    ],
)
def test_deleting_what_is_in_use(
    client: Any,
    store: Any,
    path: str,
    words: str,
    status: int,
    message: str,
    details: tuple[str, str] | None,
) -> None:
    for name in ("JobDelete", "QueueDelete", "PolicyDelete"):
        store.on(getattr(engine.commands, name), Refused("IN_USE", words))
    response = client("DELETE", f"/routing/{path}/x")
    assert response.status == status
    assert response.error["message"] == message
    assert response.error["code"] == ("Conflict" if status == 409 else "BadRequest")
    expected = None if details is None else [{"code": details[0], "message": details[1]}]
    assert response.error.get("details") == expected


@pytest.mark.parametrize("outcome", ["deleted", "absent"])
def test_delete_answers_204_without_body(client: Any, store: Any, outcome: str) -> None:
    store.on(QueueDelete, {"outcome": outcome, "op": 3})
    response = client("DELETE", "/routing/queues/x")
    assert (response.status, response.body) == (204, b"")
    assert "content-type" not in response.headers
    assert "content-length" not in response.headers


BODIES = [
    (b"", "The body is not valid JSON"),
    (b"{", "The body is not valid JSON"),
    (b"nope", "The body is not valid JSON"),
    (b"[]", "The body must be a JSON object"),
    (b"null", "The body must be a JSON object"),
    (b'"x"', "The body must be a JSON object"),
    (b"1", "The body must be a JSON object"),
    (b'{"a":1}x', "The body is not valid JSON"),
    (b'{"a":NaN}', "The body is not valid JSON"),
    (b'{"a":Infinity}', "The body is not valid JSON"),
    (b'{"a":1e999}', "The body is not valid JSON"),
    (b'{"a":-1e999}', "The body is not valid JSON"),
    (b'{"a":' + b"9" * 5000 + b"}", "The body is not valid JSON"),
    (b'{"a":"\\ud800"}', "The body is not valid JSON"),
    (b'{"a":"\\udc00x"}', "The body is not valid JSON"),
    (b'{"\\ud800":1}', "The body is not valid JSON"),
    (b'{"a":"\xff"}', "The body is not valid UTF-8"),
    (b'{"a":"\xed\xa0\x80"}', "The body is not valid UTF-8"),
    (b'\xef\xbb\xbf{"a":1}', "The body is not valid JSON"),
    (b'{"a":"\\u0000"}', "must not contain the character NUL"),
    (b'{"\\u0000":1}', "must not contain the character NUL"),
    (b'{"labels":{"a":"b\\u0000"}}', "must not contain the character NUL"),
    (b'{"a":' + b"[" * 32 + b"]" * 32 + b"}", "nested deeper than 32 levels"),
    (b'{"a":' * 33 + b"1" + b"}" * 33, "nested deeper than 32 levels"),
    (b'{"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}", "nested deeper than 32 levels"),
    (b'{"a":' + b"[" * 31 + b'"\\u0000"' + b"]" * 31 + b"}", "must not contain the character NUL"),
    (b"[" * 200_000, "nested deeper than 32 levels"),
    (b"\x00", "The body is not valid JSON"),
]


@pytest.mark.parametrize(("body", "text"), BODIES)
@pytest.mark.parametrize("path", ["jobs", "workers", "queues", "distributionPolicies"])
def test_bad_bodies(client: Any, store: Any, path: str, body: bytes, text: str) -> None:
    response = client("PATCH", f"/routing/{path}/x", body)
    assert response.status == 400
    assert text in response.error["message"]
    assert store.commands == []


def test_deep_enough_bodies(client: Any, store: Any, make_record: Any) -> None:
    store.on(JobCreate, {"outcome": "created", **make_record("job")})
    deep = b"[" * 31 + b"]" * 31
    wide = b"[" + b",".join([b"[]"] * 100) + b"]"
    for extra in (deep, wide):
        body = b'{"channelId":"c","queueId":"q","unknown":%b,"last":"\\\\u0000"}' % extra
        assert client("PATCH", "/routing/jobs/x", body).status == 201


@pytest.mark.parametrize("chunks", [1, 3])
def test_body_limit(make_client: Any, store: Any, make_record: Any, signed: Any, chunks: int) -> None:
    store.on(QueueRead, make_record("queue", name="y" * 10))
    client = make_client(max_body=100)
    target = "/routing/queues/x?api-version=2023-11-01"
    for size, status in ((100, 200), (101, 413)):
        body = b'{"name":"' + b"y" * 10 + b'"}'
        body += b" " * (size - len(body))
        response = client.send("PATCH", target, body, signed("PATCH", target, body), chunks=chunks)
        assert response.status == status
    assert response.error["code"] == "RequestEntityTooLarge"


def test_announced_length_is_enough_to_refuse(client: Any, signed: Any) -> None:
    target = "/routing/queues/x?api-version=2023-11-01"
    headers = signed("PATCH", target) | {"content-length": "262145"}
    assert client.send("PATCH", target, b"", headers).status == 413


@pytest.mark.parametrize(
    "content_type", [None, "application/json", "application/merge-patch+json", "text/plain", "x"]
)
def test_content_type_does_not_matter(
    client: Any, store: Any, make_record: Any, content_type: str | None
) -> None:
    store.on(JobCreate, {"outcome": "created", **make_record("job")})
    headers = {"content-type": content_type} if content_type else {}
    response = client("PATCH", "/routing/jobs/x", {"channelId": "c", "queueId": "q"}, headers=headers)
    assert response.status == 201


def test_health(make_client: Any) -> None:
    async def ill() -> tuple[bool, dict[str, Any]]:
        return False, {"reason": "Redis is read-only"}

    client, here = make_client(), {"host": "localhost"}
    assert client.send("GET", "/health/live", b"", {}).status == 200
    ready = client.send("GET", "/health/ready", b"", here)
    assert (ready.status, ready.json) == (200, {"warnings": []})
    ready = make_client(health=ill).send("GET", "/health/ready", b"", here)
    assert (ready.status, ready.json) == (503, {"reason": "Redis is read-only"})


@pytest.mark.parametrize(
    ("more", "shown"),
    [
        ({}, {"status": "ready"}),
        ({"authorization": "Bearer wrong-wrong-wrong-wrong"}, {"status": "ready"}),
        ({"authorization": f"Bearer {VIEW_KEY}"}, {"warnings": []}),
    ],
)
def test_strangers_see_no_more_than_whether_it_is_ready(
    client: Any, more: dict[str, str], shown: dict[str, Any]
) -> None:
    headers = {"host": "router.example.com", **more}
    ready = client.send("GET", "/health/ready", b"", headers, client=("10.1.2.3", 1))
    assert (ready.status, ready.json) == (200, shown)


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("GET", "/nothing", 404), ("GET", "/routing", 404), ("POST", "/health/live", 405)],
)
def test_other_pages_answer_json_too(client: Any, method: str, path: str, status: int) -> None:
    response = client.send(method, path, b"", {"host": "localhost"})
    assert response.status == status
    assert response.json["error"] == response.json["communicationError"]


def test_client_that_goes_away_is_not_answered(client: Any, store: Any) -> None:
    async def gone() -> Any:
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        raise AssertionError(message)

    scope = {
        "type": "http",
        "method": "PATCH",
        "path": "/routing/jobs/x",
        "raw_path": b"/routing/jobs/x",
        "query_string": b"",
        "headers": [],
    }
    asyncio.run(client.app(scope, gone, send))
    assert store.commands == []


def test_body_that_never_ends(client: Any, store: Any, signed: Any, monkeypatch: Any) -> None:
    monkeypatch.setattr(body, "BODY_SECONDS", 0.01)
    sent: list[Any] = []
    parts = [{"type": "http.request", "body": b"{", "more_body": True}]

    async def receive() -> Any:
        return parts.pop() if parts else await asyncio.Event().wait()

    async def send(message: Any) -> None:
        sent.append(message)

    target = "/routing/jobs/x?api-version=2023-11-01"
    scope = {
        "type": "http",
        "method": "PATCH",
        "path": "/routing/jobs/x",
        "raw_path": b"/routing/jobs/x",
        "query_string": b"api-version=2023-11-01",
        "headers": [(name.encode(), value.encode()) for name, value in signed("PATCH", target).items()],
    }
    asyncio.run(client.app(scope, receive, send))
    assert sent[0]["status"] == 408
    assert (b"connection", b"close") in sent[0]["headers"]
    assert b'"RequestTimeout"' in sent[1]["body"]
    assert store.commands == []


def test_server_without_raw_path(client: Any, store: Any, signed: Any) -> None:
    sent: list[Any] = []

    async def receive() -> Any:
        return {"type": "http.request"}

    async def send(message: Any) -> None:
        sent.append(message)

    target = "/routing/jobs/x%20y?api-version=2023-11-01"
    scope = {
        "type": "http",
        "method": "GET",
        "path": "/routing/jobs/x y",
        "query_string": b"api-version=2023-11-01",
        "headers": [(name.encode(), value.encode()) for name, value in signed("GET", target).items()],
    }
    asyncio.run(client.app(scope, receive, send))
    assert sent[0]["status"] == 404
    assert store.commands == [JobRead("x y")]
