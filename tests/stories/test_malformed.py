"""Every operation called with malformed arguments: it is refused, and nothing has changed."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
import redis

from engine import commands as c
from engine.errors import Refused
from engine.scoring import Equal, scoring_text
from engine.store import translated
from tests.operations import OPERATIONS
from tests.stories.router import START, Router

IDS = [kind.function for kind in OPERATIONS]
FITTING: dict[str, Any] = {
    "kind": "distribution",
    "mode": "longestIdle",
    "status": "",
    "state": "",
    "id": "j1",
    "task": "classify:j1",
    "classes": "0",
}


@pytest.fixture
def full(router: Router) -> Router:
    """A router in which every operation would find something to do."""
    router.worker("w1", capacity=9)
    for job in ("j1", "j2", "j3"):
        router.job(job)
    router.accept("w1", "j2")
    router.complete("j2")
    router.accept("w1", "j3")
    router.decline("w1", "j1", retry_at=30_000)
    return router


def call(
    router: Router, kind: type[c.Command], *arguments: object, keys: tuple[str, ...] | None = None
) -> None:
    """One raw call; raises Refused, or Failed when the library itself stumbles."""
    keys = (router.root,) if keys is None else keys
    name = "FCALL" if kind.write else "FCALL_RO"
    try:
        router.redis.execute_command(name, kind.function, len(keys), *keys, *arguments)
    except redis.ResponseError as error:
        raise translated(kind(**control(kind)), str(error)) from None


def control(kind: type[c.Command]) -> dict[str, Any]:
    """Control fields that are all right."""
    fields: dict[str, Any] = {}
    for field in msgspec.structs.fields(kind):
        if field.name in kind.documents:
            continue
        known = field.name in FITTING and not (kind is c.JobCreate and field.name == "mode")
        fields[field.name] = FITTING[field.name] if known else "x"
        if field.type is int:
            fields[field.name] = 1
        elif field.type is bool:
            fields[field.name] = False
        elif field.type == list[str]:
            fields[field.name] = []
    return fields


def wrong_fields(kind: type[c.Command]) -> Iterator[tuple[str, object]]:
    """For each control field, values of another type, and texts that must not be."""
    for field in msgspec.structs.fields(kind):
        if field.name in kind.documents:
            continue
        wrong: list[object] = [None]
        if field.type is int:
            wrong += ["1", {}, True, 1.5, 2**53, -(2**60), 1e300, []]
        elif field.type is str:
            wrong += [1, False, "a\0b", [], {"a": 1}]
        elif field.type is bool:
            wrong += [1, "true", {}]
        else:
            wrong += ["x", 1]
        for value in wrong:
            yield field.name, value


def refused(
    router: Router, code: tuple[str, ...], kind: type[c.Command], *arguments: object, **more: Any
) -> None:
    """The call is refused with one of these codes, and nothing has changed."""
    before = router.digest()
    with pytest.raises(Refused) as raised:
        call(router, kind, *arguments, **more)
    assert raised.value.code in code, (raised.value, arguments)
    assert router.digest() == before, arguments


@pytest.mark.parametrize("kind", OPERATIONS, ids=IDS)
def test_operation_with_malformed_control(full: Router, kind: type[c.Command]) -> None:
    now = START + full.now
    for text in ("", "{", "[", "null", "1", '"x"', "nonsense", '{"a":1}', '{"":""}', "{}}", "\0"):
        refused(full, ("BAD_CALL",), kind, now, text)
    for name, value in wrong_fields(kind):
        given = {**control(kind), name: value}
        refused(full, ("BAD_CALL",), kind, now, json.dumps(given))
    required = [field.name for field in msgspec.structs.fields(kind) if field.required]
    for name in required:
        given = control(kind)
        del given[name]
        refused(full, ("BAD_CALL",), kind, now, json.dumps(given))


@pytest.mark.one_server("a key that is no root may lie elsewhere, and then no function is asked")
@pytest.mark.parametrize("kind", OPERATIONS, ids=IDS)
def test_operation_with_malformed_frame(full: Router, kind: type[c.Command]) -> None:
    fine = json.dumps(control(kind))
    for now in ("", "x", "-1", "1.5", "1e300", "nan", "inf", "-inf", str(2**53), "0x10g", " "):
        refused(full, ("BAD_CALL",), kind, now, fine)
    # what is due is not done either
    for count in (15, 9_000):
        refused(full, ("BAD_CALL",), kind, START + 10**9, fine, *["x"] * count)
    refused(full, ("BAD_CALL",), kind, START, fine, keys=())
    refused(full, ("BAD_CALL",), kind, START, fine, keys=("",))
    refused(full, ("BAD_CALL",), kind, START, fine, keys=(full.root, full.root))
    refused(full, ("BAD_CALL",), kind, START, fine, keys=(full.root + ":job:j1",))


# not every text that is no JSON, but whatever would not be read back as what it is
DOCUMENTS = {
    "labels": [
        "x",
        '"a"',
        '"a":',
        '"a:1',
        "a:1",
        '"a":{}',
        '"a":nil',
        '"a":1\nx',
        '"a":1\n',
        '"a":1,\n\n"b":2',
    ],
    "tags": ["x", '"a"', '"a":[]'],
    "notes": ["x", "x\t1", '"x"', '"x"\tsoon', '"x"\t1\t1', "\t", '"x"\t-1'],
    "selectors": [
        "x",
        '"a"\t=\t1\t\t0',
        '"a"\t=\t1\t\t0\t\t',
        '"a"\t==\t1\t\t0\t',
        '"a"\t~\t1\t\t0\t',
        '"a"\t=\t1\tx\t0\t',
        '"a"\t=\t1\t-1\t0\t',
        '"a"\t=\t1\t\t2\t',
        '"a"\t=\t1\t\t\t',
        '"a"\t=\tnonsense\t\t0\t',
        "a\t=\t1\t\t0\t",
        '"a"\t=\t1\t\t0\tsoon',
    ],
    "queues": ["x", '"q', "q", "1", '"q"\nr'],
    "channels": [
        "x",
        '"v"',
        '"v"\t1',
        '"v"\tx\t',
        '"v"\t-1\t',
        '"v"\t1\t-1',
        "v\t1\t",
        '"v"\t1.5\t',
        '"v"\t1\t0',
    ],
    "note": ["x", "1", '"x', '"x"\n"y"', "{}"],
}
WITH_DOCUMENTS = [(kind, name) for kind in OPERATIONS for name in kind.documents if name in DOCUMENTS]


def finding(router: Router, kind: type[c.Command]) -> c.Command:
    """A command of this kind that would succeed."""
    doc, worker = router.read("j1").doc, router.read_worker("w1").doc
    commands: list[c.Command] = [
        c.QueueUpsert(id="q2", distribution="p"),
        c.QueueUpdate(id="q", doc=1, distribution="p"),
        c.WorkerUpsert(id="w2", capacity=1, available=True),
        c.WorkerUpdate(id="w1", doc=worker, capacity=1, available=True),
        c.JobCreate(id="j9", channel="voice", queue="q"),
        c.JobPreview(id="j9", channel="voice", queue="q"),
        c.JobUpdate(id="j1", doc=doc, channel="voice", queue="q"),
        c.JobCancel("j1"),
        c.AssignmentComplete("j3", router.assignment("j3")),
        c.AssignmentClose("j2", router.assignment("j2")),
    ]
    return next(command for command in commands if type(command) is kind)


@pytest.mark.parametrize(
    ("kind", "name"), WITH_DOCUMENTS, ids=[f"{k.function}-{n}" for k, n in WITH_DOCUMENTS]
)
def test_operation_with_malformed_document(full: Router, kind: type[c.Command], name: str) -> None:
    command = finding(full, kind)
    for text in DOCUMENTS[name]:
        given = msgspec.structs.replace(command, **{name: text})
        refused(full, ("BAD_CALL", "INVALID"), kind, START + full.now, *given.arguments())
    full.run(command)


PLACES = ["x", "1", "1.", ".1", "1.1.1", "1 .1", "-1.1", "1.-1", "1e3.1", "9" * 16 + ".1", "1.1\n"]
SCORING = [
    "x",
    "null",
    "[]",
    "{}",
    '{"kind":"default"}',
    '{"kind":1}',
    '{"kind":"equal","tree":"1"}',
    '{"kind":"expression"}',
    '{"kind":"expression","tree":1}',
    '{"kind":"expression","tree":""}',
    '{"kind":"expression","tree":"[\\"Nothing\\"]"}',
    '{"kind":"expression","tree":"1","labels":"x"}',
    '{"kind":"expression","tree":"1","labels":[1]}',
    '{"kind":"expression","tree":"1","labels":{"a":"b"}}',
    '{"kind":"expression","tree":"1","own_id":1}',
    '{"kind":"expression","tree":"1","more":1}',
    '{"kind":"function","text":1}',
    '{"kind":"function","job":"x"}',
    '{"kind":"function","batch":-1}',
    '{"kind":"webhook","batch":1.5}',
    '{"kind":"webhook","selectors":1}',
    '{"kind":"equal","batch":1}',
]


@pytest.mark.parametrize(
    "command",
    [
        c.PolicyUpsert("other", "p9", expires_ms=1, mode="longestIdle"),
        c.PolicyUpsert("distribution", "p9", expires_ms=0, mode="longestIdle"),
        c.PolicyUpsert("distribution", "p9", expires_ms=-1, mode="longestIdle"),
        c.PolicyUpsert("distribution", "p9", expires_ms=1, mode="fastest"),
        c.PolicyUpsert("distribution", "p9", expires_ms=1, mode="longestIdle", min_offers=0),
        c.PolicyUpsert("distribution", "p9", expires_ms=1, mode="longestIdle", min_offers=3, max_offers=2),
        c.PolicyUpsert("distribution", "p9", expires_ms=1, mode="longestIdle", rules=scoring_text(Equal())),
        *(
            c.PolicyUpsert("distribution", "p9", expires_ms=1, mode="bestWorker", rules=rules)
            for rules in SCORING
        ),
        c.PolicyRead("other", "p"),
        c.PolicyDelete("other", "p"),
        c.PolicyList("other"),
        c.PolicyList("distribution", limit=0),
        c.QueueList(limit=1001),
        c.QueueList(limit=-1),
        c.JobList(limit=0),
        c.WorkerList(limit=0),
        c.QueueOverview(limit=0),
        c.QueueOverview(limit=101),
        c.WorkerOverview(limit=0),
        c.WorkerOverview(limit=101),
        c.EventList(limit=0),
        c.EventList(after=-1),
        *(c.JobHistory("j1", before) for before in PLACES),
        *(c.WorkerHistory("w1", limit=limit) for limit in (0, -1, 101)),
        c.QueueLoad("q", classes="x"),
        c.AllowanceLease(0, 10, 1_000),
        c.AllowanceLease(11, 10, 1_000),
        c.AllowanceLease(1, 0, 1_000),
        c.AllowanceLease(1, 1_000_001, 1_000),
        c.AllowanceLease(1, 10, 0),
        c.AllowanceLease(1, 10, 3_600_001),
        c.ObserverLease("x" * 201, 1),
        c.ObserverLease("x", -1),
        c.ObserverLease("x", 600_001),
        c.ObserverLease("x", 1, seen=-1),
        *(c.JobPreview("j9", channel="voice", queue="q", cursor=x) for x in ("x", "-1", "9" * 21)),
        c.JobPreview("j9", channel="voice", queue="q", priority=101),
        c.JobPreview("j9", queue="q"),
        c.JobCreate("j9", channel="voice", queue="q", priority=101),
        c.JobCreate("j9", channel="voice", queue="q", priority=-101),
        c.JobCreate("j9", queue="q"),
        c.JobCreate("j9", channel="voice"),
        c.JobCreate("j9", channel="voice", queue="q", mode="later"),
        c.WorkerUpsert("w9", capacity=-1),
        c.WorkerUpsert("w9", max_offers=-1),
        c.SettingsWrite(batch=0),
        c.SettingsWrite(batch=1_001),
        c.SettingsWrite(outage_ms=-1),
        c.SettingsWrite(keep_events_count=0),
        c.Check(ids=["nothing"]),
        c.Check(ids=["thing:x"]),
        c.Check(ids=[None]),  # type: ignore[list-item]
    ],
    ids=repr,
)
def test_operation_with_values_out_of_range(full: Router, command: c.Command) -> None:
    refused(full, ("BAD_CALL", "INVALID"), type(command), START + full.now, *command.arguments())


@pytest.mark.parametrize("version", [1, 999])
def test_operation_on_data_of_another_version(full: Router, version: int) -> None:
    state = full.redis.hget(full.root, "state")
    full.redis.hset(full.root, "state", re.sub(r"data=\d+", f"data={version}", state))
    for kind in OPERATIONS:
        if kind is not c.RouterStatus:
            refused(full, ("VERSION",), kind, START, json.dumps(control(kind)))
