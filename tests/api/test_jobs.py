"""Jobs on the wire: bodies in, commands, what clients see."""

from __future__ import annotations

import json
from typing import Any

import pytest

from api.wire.values import timestamp
from engine.commands import JobCancel, JobCreate, JobPosition, JobRead, JobReclassify, JobUpdate
from engine.errors import Refused

LEAST = {"channelId": "voice", "queueId": "q"}


def created(make_record: Any) -> Any:
    """Replies as the engine does to a creation."""
    return lambda command: {
        "outcome": "created",
        "op": 5,
        **make_record("job", id=command.id, status="created"),
    }


def test_least_job(client: Any, store: Any, make_record: Any) -> None:
    store.on(JobCreate, created(make_record))
    response = client("PATCH", "/routing/jobs/j", LEAST)
    assert response.status == 201
    assert store.commands == [JobCreate("j", channel="voice", queue="q")]
    assert list(response.json.items()) == [
        ("id", "j"),
        ("status", "created"),
        ("channelId", "voice"),
        ("queueId", "q"),
        ("priority", 1),
        ("requestedWorkerSelectors", []),
        ("attachedWorkerSelectors", []),
        ("labels", {}),
        ("assignments", {}),
        ("tags", {}),
        ("notes", []),
        ("matchingMode", {"kind": "queueAndMatch"}),
        ("etag", response.headers["etag"]),
    ]
    assert response.headers["last-modified"] == "Tue, 14 Nov 2023 22:13:20 GMT"


FULL = {
    "channelReference": "ref",
    "channelId": "voice",
    "classificationPolicyId": "cp",
    "queueId": "q",
    "priority": -7,
    "dispositionCode": "code",
    "requestedWorkerSelectors": [
        {
            "key": "a\tb",
            "labelOperator": "greaterThanOrEqual",
            "value": 1.0,
            "expiresAfterSeconds": 1.5,
            "expedite": True,
        },
        {"key": "n", "labelOperator": "notEqual"},
        {"key": "o", "labelOperator": "equal", "value": {"z": [1], "a": "\n"}},
    ],
    "labels": {"b": 1.0, "a": 1, "é\n": "x\ty", "t": True, "big": 12345678901234567},
    "tags": {"k": "v"},
    "notes": [
        {"message": "new"},
        {"message": "second", "addedAt": "2023-11-06T00:59:08.9531666+00:00"},
        {"message": "first\n", "addedAt": "2023-11-06T01:59:08.953+02:00"},
        {"message": "also new", "addedAt": "0001-01-01T00:00:00Z"},
    ],
    "matchingMode": {"kind": "scheduleAndSuspend", "scheduleAt": "2100-01-01T00:00:00Z"},
}

FULL_COMMAND = JobCreate(
    "j",
    channel="voice",
    queue="q",
    classification="cp",
    priority=-7,
    reference="ref",
    disposition="code",
    mode="scheduleAndSuspend",
    schedule_at=4102444800000,
    labels='"a":1,\n"b":1.0,\n"big":12345678901234567,\n"t":true,\n"é\\n":"x\\ty"',
    tags='"k":"v"',
    notes='"first\\n"\t1699228748953\n"second"\t1699232348953\n"new"\t\n"also new"\t',
    selectors='"a\\tb"\t>=\t1.0\t1.5\t1\t\n"n"\t!=\t\t\t0\t\n"o"\t=\t{"a":"\\n","z":[1]}\t\t0\t',
)


def test_full_job(client: Any, store: Any, make_record: Any) -> None:
    store.on(JobCreate, created(make_record))
    assert client("PATCH", "/routing/jobs/j", FULL).status == 201
    assert store.commands == [FULL_COMMAND]


def recase(value: Any, keep: tuple[str, ...] = ("labels", "tags", "value")) -> Any:
    """Names in another case, and read-only and unknown members beside them."""
    if isinstance(value, list):
        return [recase(item) for item in value]
    if isinstance(value, dict):
        changed = {
            name[0].upper() + name[1:]: member if name in keep else recase(member)
            for name, member in value.items()
        }
        return changed | {"Unknown": [1]}
    return value


def test_names_in_any_case(client: Any, store: Any, make_record: Any) -> None:
    store.on(JobCreate, created(make_record))
    body = recase(FULL) | {
        "id": "other",
        "status": "closed",
        "etag": "",
        "enqueuedAt": 5,
        "assignments": {"x": 1},
    }
    body["MatchingMode"]["Kind"] = "schedule-and-suspend"
    body["RequestedWorkerSelectors"][0] |= {
        "LabelOperator": "GreaterThanOrEqual",
        "status": "expired",
        "expiresAt": "x",
    }
    assert client("PATCH", "/routing/jobs/j", body).status == 201
    assert store.commands == [FULL_COMMAND]


def test_nulls_are_absent_and_last_duplicate_wins(client: Any, store: Any, make_record: Any) -> None:
    store.on(JobCreate, created(make_record))
    body = (
        b'{"channelId":"x","channelId":"voice","queueId":"q","priority":null,"labels":{"a":null,"b":1},"tags":null,'
        b'"notes":null,"matchingMode":null,"dispositionCode":null,"channelReference":null,"classificationPolicyId":null,'
        b'"requestedWorkerSelectors":[{"key":"k","labelOperator":"equal","value":null,"expiresAfterSeconds":null,'
        b'"expedite":null}]}'
    )
    assert client("PATCH", "/routing/jobs/j", body).status == 201
    assert store.commands == [
        JobCreate("j", channel="voice", queue="q", labels='"b":1', selectors='"k"\t=\t\t\t0\t')
    ]


def test_integral_floats_are_integers(client: Any, store: Any, make_record: Any) -> None:
    store.on(JobCreate, created(make_record))
    selector = {"key": "k", "labelOperator": "equal", "value": 2.0, "expiresAfterSeconds": 60.0}
    body = LEAST | {"priority": 2.0, "requestedWorkerSelectors": [selector]}
    assert client("PATCH", "/routing/jobs/j", body).status == 201
    assert store.commands[0].priority == 2
    assert store.commands[0].selectors == '"k"\t=\t2.0\t60\t0\t'


BAD = [
    ({"channelId": None}, "The property 'channelId' is required."),
    ({"queueId": None}, "The property 'queueId' is required."),
    ({"queueId": ""}, "The property 'queueId' is required."),
    ({"channelId": ""}, "'channelId' is not valid: expected str of length >= 1"),
    ({"channelId": 5}, "'channelId' is not valid: expected str, got int"),
    ({"queueId": ["q"]}, "'queueId' is not valid"),
    ({"queueId": "q" * 257}, "'queueId' is not valid"),
    ({"priority": "2"}, "'priority' is not valid: expected int, got str"),
    ({"priority": 1.5}, "'priority' is not valid: expected int, got float"),
    ({"priority": True}, "'priority' is not valid: expected int, got bool"),
    ({"priority": 101}, "'priority' is not valid: expected int <= 100"),
    ({"priority": -101}, "'priority' is not valid: expected int >= -100"),
    ({"priority": 10**30}, "'priority' is not valid"),
    ({"labels": []}, "'labels' is not valid: expected object, got array"),
    ({"labels": "x"}, "'labels' is not valid"),
    ({"labels": {"a": {"b": 1}}}, "'labels[\"a\"]' is not valid"),
    ({"labels": {"a": [1]}}, "'labels[\"a\"]' is not valid"),
    ({"labels": {"": 1}}, "'key in labels' is not valid"),
    ({"labels": {"a" * 257: 1}}, "'key in labels' is not valid"),
    ({"labels": {"a": "x" * 1025}}, "'labels[\"a\"]' is not valid"),
    ({"labels": {str(i): i for i in range(101)}}, "'labels' is not valid"),
    ({"labels": {"a": 10**400}}, "'labels[\"a\"]' is not valid: the number is too large"),
    ({"labels": {"a": -(10**309)}}, "'labels[\"a\"]' is not valid: the number is too large"),
    ({"tags": {"a": [1]}}, "'tags[\"a\"]' is not valid"),
    ({"tags": 5}, "'tags' is not valid"),
    ({"notes": {}}, "'notes' is not valid: expected array"),
    ({"notes": ["x"]}, "'notes[0]' is not valid: expected object"),
    ({"notes": [{"addedAt": "2024-01-01T00:00:00Z"}]}, "The property 'notes[0].message' is required."),
    ({"notes": [{"message": "m", "addedAt": "yesterday"}]}, "'notes[0].addedAt' is not valid"),
    ({"notes": [{"message": "m", "addedAt": "2024-01-01T00:00:00"}]}, "'notes[0].addedAt' is not valid"),
    ({"notes": [{"message": 5}]}, "'notes[0].message' is not valid"),
    ({"requestedWorkerSelectors": {}}, "'requestedWorkerSelectors' is not valid"),
    ({"requestedWorkerSelectors": [5]}, "'requestedWorkerSelectors[0]' is not valid"),
    (
        {"requestedWorkerSelectors": [{"labelOperator": "equal"}]},
        "'requestedWorkerSelectors[0].key' is required",
    ),
    ({"requestedWorkerSelectors": [{"key": "k"}]}, "'requestedWorkerSelectors[0].labelOperator' is required"),
    (
        {"requestedWorkerSelectors": [{"key": "k", "labelOperator": "like"}]},
        "'requestedWorkerSelectors[0].labelOperator' is not valid: invalid enum value 'like': "
        "it must be 'equal', 'greaterThan', "
        "'greaterThanOrEqual', 'lessThan', 'lessThanOrEqual' or 'notEqual'.",
    ),
    (
        {"requestedWorkerSelectors": [{"key": "k", "labelOperator": "equal", "expiresAfterSeconds": 0}]},
        "'requestedWorkerSelectors[0].expiresAfterSeconds' is not valid",
    ),
    (
        {"requestedWorkerSelectors": [{"key": "k", "labelOperator": "equal", "expiresAfterSeconds": "5"}]},
        "'requestedWorkerSelectors[0].expiresAfterSeconds' is not valid",
    ),
    (
        {"requestedWorkerSelectors": [{"key": "k", "labelOperator": "equal", "expiresAfterSeconds": 1e12}]},
        "'requestedWorkerSelectors[0].expiresAfterSeconds' is not valid",
    ),
    (
        {"requestedWorkerSelectors": [{"key": "k", "labelOperator": "equal", "expedite": 1}]},
        "'requestedWorkerSelectors[0].expedite' is not valid",
    ),
    (
        {"requestedWorkerSelectors": [{"key": "k", "labelOperator": "equal", "value": {"a": [10**400]}}]},
        "A number in the body is too large.",
    ),
    (
        {"requestedWorkerSelectors": [{"key": "k", "labelOperator": "equal"}] * 101},
        "'requestedWorkerSelectors' is not",
    ),
    ({"matchingMode": "suspend"}, "'matchingMode' is not valid"),
    (
        {"matchingMode": {"kind": "never"}},
        "'matchingMode.kind' is not valid: invalid value 'never': it must be ",
    ),
    ({"matchingMode": {"kind": 5}}, "'matchingMode.kind' is not valid"),
    ({"matchingMode": {"kind": "scheduleAndSuspend"}}, "The property 'matchingMode.scheduleAt' is required."),
    (
        {"matchingMode": {"kind": "scheduleAndSuspend", "scheduleAt": 5}},
        "'matchingMode.scheduleAt' is not valid",
    ),
    ({"dispositionCode": "x" * 1025}, "'dispositionCode' is not valid"),
    ({"channelReference": {}}, "'channelReference' is not valid"),
]


@pytest.mark.parametrize(("change", "text"), BAD)
def test_bad_jobs(client: Any, store: Any, change: dict[str, Any], text: str) -> None:
    response = client("PATCH", "/routing/jobs/j", LEAST | change)
    assert response.status == 400
    assert text in response.error["message"]
    assert store.commands == [JobRead("j")]


@pytest.mark.parametrize("mode", [{}, {"unknown": 1}])
def test_mode_without_kind(client: Any, store: Any, mode: dict[str, Any]) -> None:
    response = client("PATCH", "/routing/jobs/j", {"matchingMode": mode})
    assert response.status == 400
    assert response.error["message"] == (
        "The property 'matchingMode.kind' is required: 'queueAndMatch', 'suspend' or 'scheduleAndSuspend'. "
        "Version 1.1.0b1 of the Python client leaves it out of QueueAndMatchMode() and SuspendMode(): "
        'give {"kind": "queueAndMatch"} or {"kind": "suspend"} instead.'
    )
    assert store.commands == []


def test_time_of_a_schedule_alone_keeps_its_kind(client: Any, store: Any, make_record: Any) -> None:
    store.on(JobRead, make_record("job", mode="scheduleAndSuspend", schedule_at="5"))
    store.on(JobUpdate, {"outcome": "updated", **make_record("job")})
    patch = {"matchingMode": {"scheduleAt": "2023-11-14T22:13:20Z"}}
    assert client("PATCH", "/routing/jobs/x", patch).status == 200
    assert (store.commands[1].mode, store.commands[1].schedule_at) == ("scheduleAndSuspend", 1700000000000)


@pytest.mark.parametrize("latest", ["9999-12-31T23:59:59.9999999Z", "9999-12-31T23:59:59.9999999-14:00"])
def test_latest_time_that_can_be_shown(client: Any, store: Any, make_record: Any, latest: str) -> None:
    store.on(JobRead, make_record("job"))
    store.on(JobUpdate, {"outcome": "updated", **make_record("job")})
    body = {"matchingMode": {"kind": "scheduleAndSuspend", "scheduleAt": latest}}
    assert client("PATCH", "/routing/jobs/x", body).status == 200
    shown = store.commands[1].schedule_at
    assert timestamp(shown) == "9999-12-31T23:59:59.999+00:00"


def test_view_of_everything(make_client: Any, store: Any, make_record: Any) -> None:
    store.on(
        JobRead,
        make_record(
            "job",
            id="j",
            status="closed",
            priority="-3",
            reference="ref",
            disposition="Closed",
            labels='"a":1.0,\n"b":"x"',
            tags='"t":12345678901234567',
            notes='"n"\t1700000000000',
            selectors='"k"\t>\t5\t30\t1\t\n"l"\t=\t"x"\t30.5\t0\t1700000010000',
            attached='"m"\t<=\t\t\t0\t',
            enqueued_at="1700000000000",
            assignment="as",
            worker="w",
            assigned_at="1700000000100",
            completed_at="1700000000120",
            closed_at="1700000000123",
            mode="scheduleAndSuspend",
            schedule_at="1700000000500",
            scheduled_at="1700000001000",
            offers="internal",
        ),
    )
    response = make_client(now=1_700_000_035)("GET", "/routing/jobs/j", now=1_700_000_035)
    assert response.status == 200
    assert response.body.decode() == (
        '{"id":"j","channelReference":"ref","status":"closed","enqueuedAt":"2023-11-14T22:13:20+00:00",'
        '"channelId":"voice","queueId":"q","priority":-3,"dispositionCode":"Closed","requestedWorkerSelectors":['
        '{"expiresAfterSeconds":30,"expedite":true,"status":"expired","key":"k","labelOperator":"greaterThan","value":5,'
        '"expiresAt":"2023-11-14T22:13:50+00:00"},'
        '{"expiresAfterSeconds":30.5,"expedite":false,"status":"active","key":"l","labelOperator":"equal","value":"x",'
        '"expiresAt":"2023-11-14T22:14:00.5+00:00"}],'
        '"attachedWorkerSelectors":[{"expedite":false,"status":"active","key":"m","labelOperator":"lessThanOrEqual"}],'
        '"labels":{"a":1.0,"b":"x"},"assignments":{"as":{"assignmentId":"as","workerId":"w",'
        '"assignedAt":"2023-11-14T22:13:20.1+00:00","completedAt":"2023-11-14T22:13:20.12+00:00",'
        '"closedAt":"2023-11-14T22:13:20.123+00:00"}},"tags":{"t":12345678901234567},'
        '"notes":[{"message":"n","addedAt":"2023-11-14T22:13:20+00:00"}],'
        '"matchingMode":{"kind":"scheduleAndSuspend","scheduleAt":"2023-11-14T22:13:20.5+00:00"},'
        '"scheduledAt":"2023-11-14T22:13:21+00:00","etag":' + json.dumps(response.headers["etag"]) + "}"
    )


STORED = {
    "priority": "5",
    "reference": "ref",
    "disposition": "d",
    "labels": '"a":1,\n"b":2.0',
    "tags": '"t":"x"',
    "notes": '"n"\t1700000000001',
    "selectors": '"k"\t>\t5\t30\t1\t1700000000000',
}
SAME = JobUpdate(
    id="x", doc=1, channel="voice", queue="q", priority=5, reference="ref", disposition="d",
    labels='"a":1,\n"b":2.0',
    tags='"t":"x"', notes='"n"\t1700000000001', selectors='"k"\t>\t5\t30\t1\t',
)  # fmt: skip


def changed(**fields: Any) -> JobUpdate:
    """The command that leaves the stored job as it is but for some fields."""
    import msgspec

    return msgspec.structs.replace(SAME, **fields)


@pytest.mark.parametrize(
    ("patch", "fields"),
    [
        ({"priority": 6}, {"priority": 6}),
        ({"priority": None}, {"priority": 1}),
        ({"labels": {"c": True}}, {"labels": '"a":1,\n"b":2.0,\n"c":true'}),
        ({"labels": {"a": None}}, {"labels": '"b":2.0'}),
        ({"labels": {"a": 1.0}}, {"labels": '"a":1.0,\n"b":2.0'}),
        ({"labels": None}, {"labels": ""}),
        ({"tags": None}, {"tags": ""}),
        ({"notes": []}, {"notes": ""}),
        ({"notes": [{"message": "m"}]}, {"notes": '"m"\t'}),
        ({"queueId": "r"}, {"queue": "r"}),
        ({"channelReference": None}, {"reference": ""}),
        ({"dispositionCode": None}, {"disposition": ""}),
        ({"requestedWorkerSelectors": []}, {"selectors": ""}),
        ({"matchingMode": {"kind": "suspend"}}, {"mode": "suspend"}),
        ({"classificationPolicyId": "cp"}, {"classification": "cp"}),
    ],
)
def test_patches(
    client: Any, store: Any, make_record: Any, patch: dict[str, Any], fields: dict[str, Any]
) -> None:
    store.on(JobRead, make_record("job", **STORED))
    store.on(
        JobUpdate, lambda command: {"outcome": "updated", **make_record("job", **STORED, status="queued")}
    )
    response = client("PATCH", "/routing/jobs/x", patch)
    assert response.status == 200
    assert response.json["status"] == "queued"
    assert store.commands == [JobRead("x"), changed(**fields)]


@pytest.mark.parametrize(
    "patch",
    [
        {},
        {"labels": {}},
        {"labels": {"z": None}},
        {"tags": {"t": "x"}},
        {"priority": 5.0},
        {"unknown": 1},
        {"etag": "old"},
    ],
)
def test_patches_without_effect(client: Any, store: Any, make_record: Any, patch: dict[str, Any]) -> None:
    record = make_record("job", **STORED)
    store.on(JobRead, record)
    response = client("PATCH", "/routing/jobs/x", patch)
    assert response.status == 200
    assert store.commands == [JobRead("x")]
    assert response.headers["etag"] == client("GET", "/routing/jobs/x").headers["etag"]


@pytest.mark.parametrize("mode", ["queueAndMatch", "suspend", "scheduleAndSuspend"])
def test_round_trip_of_what_was_read_changes_nothing(
    client: Any, store: Any, make_record: Any, mode: str
) -> None:
    scheduled = {"schedule_at": "1700000000777"} if mode == "scheduleAndSuspend" else {}
    record = make_record("job", **STORED, mode=mode, **scheduled)
    store.on(JobRead, record)
    store.on(JobCreate, {"outcome": "exists", **record})
    read = client("GET", "/routing/jobs/x")
    response = client("PATCH", "/routing/jobs/x", read.body)
    assert (response.status, response.body) == (200, read.body)
    assert [type(command) for command in store.commands] == [JobRead, JobCreate]


@pytest.mark.parametrize("status", ["closed", "cancelled"])
def test_patch_of_a_finished_job_gives_it_a_new_life(
    client: Any, store: Any, make_record: Any, status: str
) -> None:
    finished = make_record("job", **STORED, status=status)
    store.on(JobRead, finished)
    store.on(
        JobCreate, lambda command: {"outcome": "updated", **make_record("job", **STORED, status="created")}
    )
    response = client("PATCH", "/routing/jobs/x", {"priority": 9})
    assert response.status == 200
    assert response.json["status"] == "created"
    assert store.commands[1] == JobCreate(
        id="x",
        doc=1,
        channel="voice",
        queue="q",
        priority=9,
        reference="ref",
        labels='"a":1,\n"b":2.0',
        tags='"t":"x"',
        selectors='"k"\t>\t5\t30\t1\t',
    )


def test_request_id_goes_along(client: Any, store: Any, make_record: Any) -> None:
    store.on(JobCreate, created(make_record))
    client("PATCH", "/routing/jobs/j", LEAST, headers={"x-ms-client-request-id": "r1"})
    client("PATCH", "/routing/jobs/j", LEAST, headers={"x-ms-client-request-id": "r" * 1000})
    assert store.commands[0].request_id == "r1"
    assert len(store.commands[1].request_id) == 64


@pytest.mark.parametrize(
    ("body", "command"),
    [
        (None, JobCancel("j", request_id="r")),
        (b"{}", JobCancel("j", request_id="r")),
        (b" \n", JobCancel("j", request_id="r")),
        (b"null", JobCancel("j", request_id="r")),
        ({"note": None, "dispositionCode": None}, JobCancel("j", request_id="r")),
        ({"Note": 'a\n"b"', "DispositionCode": "d"}, JobCancel("j", "d", "r", '"a\\n\\"b\\""')),
    ],
)
def test_cancel(client: Any, store: Any, body: Any, command: JobCancel) -> None:
    store.on(JobCancel, {"op": 4})
    response = client("POST", "/routing/jobs/j:cancel", body, headers={"x-ms-client-request-id": "r"})
    assert (response.status, response.body) == (200, b"{}")
    assert store.commands == [command]


@pytest.mark.parametrize(
    "body", [b"[]", b"5", b'"x"', b"{", {"note": 5}, {"dispositionCode": []}, {"note": {}}]
)
def test_bad_cancel(client: Any, store: Any, body: Any) -> None:
    response = client("POST", "/routing/jobs/j:cancel", body)
    assert response.status == 400
    assert response.error["target"] == "/routing/jobs/j:cancel"
    assert store.commands == []


def test_reclassify(client: Any, store: Any) -> None:
    store.on(JobReclassify, {"op": 4}, Refused("INVALID", "The job has no classification policy."))
    assert client("POST", "/routing/jobs/j:reclassify", {}).body == b"{}"
    assert client("POST", "/routing/jobs/j:reclassify").status == 400
    assert store.commands == [JobReclassify("j")] * 2


def test_position(client: Any, store: Any) -> None:
    store.on(JobPosition, {"job": "j", "position": 2, "queue": "q", "length": 3, "wait_minutes": 7})
    response = client("GET", "/routing/jobs/j/position")
    assert response.json == {
        "jobId": "j",
        "position": 2,
        "queueId": "q",
        "queueLength": 3,
        "estimatedWaitTimeMinutes": 7,
    }
    assert "etag" not in response.headers
