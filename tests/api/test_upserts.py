"""What all upserts share: one call to create, merges that lose no race, conditional requests."""

from __future__ import annotations

from typing import Any

import pytest

from api import entities
from api.wire.values import etag
from engine.commands import JobCreate, JobRead, JobUpdate, QueueRead, QueueUpsert, WorkerRead, WorkerUpsert
from engine.errors import OutOfMemory, Refused, Unavailable
from engine.model import Record

PATH = "/routing/queues/x"
WHOLE = {"distributionPolicyId": "dp"}
MISSING = Refused("NOT_FOUND", "The item was not found.")
CHANGED = Refused("CHANGED", "it has changed since it was read")


def reply(outcome: str, record: dict[str, Any]) -> dict[str, Any]:
    return {"outcome": outcome, "op": 5, **record}


@pytest.fixture
def tag(client: Any, store: Any, make_record: Any) -> str:
    """The ETag of the queue that is stored."""
    store.on(QueueRead, make_record("queue"))
    etag: str = client("GET", PATH).headers["etag"]
    store.commands.clear()
    return etag


def test_creation_is_one_call(client: Any, store: Any, make_record: Any) -> None:
    store.on(QueueUpsert, reply("created", make_record("queue")))
    assert client("PATCH", PATH, WHOLE).status == 201
    assert len(store.commands) == 1


def test_whole_description_of_what_exists_is_merged(client: Any, store: Any, make_record: Any) -> None:
    record = make_record("queue", name="n", doc=4)
    store.on(QueueUpsert, reply("exists", record), reply("updated", record))
    assert client("PATCH", PATH, WHOLE | {"labels": {"a": 1}}).status == 200
    assert store.commands[1] == QueueUpsert("x", 4, name="n", distribution="dp", labels='"a":1')
    assert len(store.commands) == 2


def test_part_of_what_does_not_exist_names_what_is_missing(client: Any, store: Any) -> None:
    response = client("PATCH", PATH, {"name": "n"})
    assert response.status == 400
    assert response.error["message"] == "The property 'distributionPolicyId' is required."
    assert store.commands == [QueueRead("x")]


def test_lost_race_is_merged_anew(client: Any, store: Any, make_record: Any) -> None:
    store.on(QueueRead, make_record("queue", doc=1), make_record("queue", doc=2, labels='"b":2'))
    store.on(QueueUpsert, CHANGED, reply("updated", make_record("queue", doc=3)))
    assert client("PATCH", PATH, {"labels": {"a": 1}}).status == 200
    assert store.commands == [
        QueueRead("x"),
        QueueUpsert("x", 1, distribution="dp", labels='"a":1'),
        QueueRead("x"),
        QueueUpsert("x", 2, distribution="dp", labels='"a":1,\n"b":2'),
    ]


def test_entity_deleted_meanwhile_is_created(client: Any, store: Any, make_record: Any) -> None:
    record = make_record("queue", name="old")
    store.on(QueueUpsert, reply("exists", record), CHANGED, reply("created", make_record("queue", name="n")))
    store.on(QueueRead, MISSING)
    assert client("PATCH", PATH, WHOLE | {"name": "n"}).status == 201
    assert store.commands[-1] == QueueUpsert("x", name="n", distribution="dp")


def test_entity_deleted_meanwhile_cannot_be_created_from_a_part(
    client: Any, store: Any, make_record: Any
) -> None:
    store.on(QueueRead, make_record("queue"), MISSING)
    store.on(QueueUpsert, CHANGED)
    assert client("PATCH", PATH, {"name": "n"}).status == 400


def test_endless_race_ends(
    client: Any, store: Any, make_record: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(entities, "LONGEST_PAUSE", 0)
    store.on(QueueRead, make_record("queue"))
    store.on(QueueUpsert, CHANGED)
    response = client("PATCH", PATH, {"name": "n"})
    assert (response.status, response.headers["retry-after"]) == (503, "1")
    assert len(store.commands) == 2 * entities.ATTEMPTS + 1


def test_job_that_finished_meanwhile_gets_a_new_life(client: Any, store: Any, make_record: Any) -> None:
    store.on(JobRead, make_record("job"), make_record("job", status="closed", doc=2, disposition="d"))
    store.on(JobUpdate, CHANGED)
    store.on(JobCreate, reply("updated", make_record("job", status="created")))
    assert client("PATCH", "/routing/jobs/x", {"priority": 5}).status == 200
    assert store.commands[-1] == JobCreate("x", doc=2, channel="voice", queue="q", priority=5)


def test_other_refusals_are_not_retried(client: Any, store: Any, make_record: Any) -> None:
    store.on(QueueRead, make_record("queue"))
    store.on(QueueUpsert, Refused("INVALID", "exception policy 'e' does not exist"))
    assert client("PATCH", PATH, {"exceptionPolicyId": "e"}).status == 400
    assert len(store.commands) == 2


def test_refusal_to_read_is_the_answer(client: Any, store: Any) -> None:
    store.on(QueueRead, Refused("VERSION", "the data were written by a newer version"))
    assert client("PATCH", PATH, {"name": "n"}).status == 503


def test_unknown_outcome_is_not_retried(client: Any, store: Any) -> None:
    store.on(QueueUpsert, Unavailable("the connection was lost"))
    response = client("PATCH", PATH, WHOLE)
    assert (response.status, response.headers["retry-after"]) == (503, "1")
    assert len(store.commands) == 1


def test_full_server_still_updates(client: Any, store: Any, make_record: Any) -> None:
    store.on(WorkerUpsert, OutOfMemory("full"), reply("updated", make_record("worker")))
    store.on(WorkerRead, make_record("worker"))
    body = {"capacity": 1, "availableForOffers": True}
    assert client("PATCH", "/routing/workers/x", body).status == 200
    assert store.commands[-1] == WorkerUpsert("x", 1, capacity=1, available=True)


def test_full_server_does_not_create(client: Any, store: Any) -> None:
    store.on(WorkerUpsert, OutOfMemory("full"))
    response = client("PATCH", "/routing/workers/x", {"capacity": 1})
    assert (response.status, response.error["code"]) == (503, "OutOfMemory")


# ---- conditional requests -----------------------------------------------------------------------------

LATER = "Tue, 14 Nov 2023 22:13:20 GMT"
EARLIER = "Tue, 14 Nov 2023 22:13:19 GMT"
NO_DATE = "Wed, 15 Nov 99999 00:05:12 GMT"


@pytest.mark.parametrize("spelling", ["{}", "*", '"other", {}', "{},{}", "bare"])
def test_match(client: Any, store: Any, make_record: Any, tag: str, spelling: str) -> None:
    store.on(QueueUpsert, reply("updated", make_record("queue")))
    header = tag.strip('"') if spelling == "bare" else spelling.replace("{}", tag)
    assert client("PATCH", PATH, {"name": "n"}, headers={"if-match": header}).status == 200
    assert store.commands == [QueueRead("x"), QueueUpsert("x", 1, 3, name="n", distribution="dp")]


@pytest.mark.parametrize("header", ['"other"', "", 'W/"x"', '"00000003-0000-0000-0000-000000000000"'])
@pytest.mark.parametrize("body", [WHOLE, {"name": "n"}, {}])
def test_no_match(client: Any, store: Any, tag: str, header: str, body: dict[str, Any]) -> None:
    response = client("PATCH", PATH, body, headers={"if-match": header})
    assert (response.status, response.error["code"]) == (412, "PreconditionFailed")
    assert store.commands == [QueueRead("x")]


@pytest.mark.parametrize("header", ["*", '"any"'])
@pytest.mark.parametrize("body", [WHOLE, {"name": "n"}])
def test_match_of_what_is_missing(client: Any, store: Any, header: str, body: dict[str, Any]) -> None:
    assert client("PATCH", PATH, body, headers={"if-match": header}).status == 412
    assert store.commands == [QueueRead("x")]


def test_match_is_checked_again_after_a_lost_race(
    client: Any, store: Any, make_record: Any, tag: str
) -> None:
    store.on(QueueRead, make_record("queue"), make_record("queue", rev=4, doc=2))
    store.on(QueueUpsert, CHANGED)
    assert client("PATCH", PATH, {"name": "n"}, headers={"if-match": tag}).status == 412


def test_match_of_a_job_that_only_moved(client: Any, store: Any, make_record: Any) -> None:
    store.on(JobRead, make_record("job"))
    etag = client("GET", "/routing/jobs/x").headers["etag"]
    store.on(JobUpdate, reply("updated", make_record("job")))
    assert client("PATCH", "/routing/jobs/x", {"priority": 2}, headers={"if-match": etag}).status == 200
    assert store.commands[-1].rev == 3
    client("PATCH", "/routing/jobs/x", {"priority": 2})
    assert store.commands[-1].rev == -1


def test_none_match_creates(client: Any, store: Any, make_record: Any) -> None:
    store.on(QueueUpsert, reply("created", make_record("queue")))
    assert client("PATCH", PATH, WHOLE, headers={"if-none-match": "*"}).status == 201


@pytest.mark.parametrize("body", [WHOLE, {"name": "n"}])
def test_none_match_does_not_update(client: Any, store: Any, make_record: Any, tag: str, body: Any) -> None:
    store.on(QueueUpsert, reply("exists", make_record("queue")))
    assert client("PATCH", PATH, body, headers={"if-none-match": "*"}).status == 412
    assert client("PATCH", PATH, body, headers={"if-none-match": tag}).status == 412


def test_none_match_of_another(client: Any, store: Any, make_record: Any, tag: str) -> None:
    assert client("PATCH", PATH, WHOLE, headers={"if-none-match": '"other"'}).status == 200


@pytest.mark.parametrize(
    ("header", "status"), [(LATER, 200), (EARLIER, 412), ("some day", 200), (NO_DATE, 200)]
)
def test_unmodified_since(client: Any, store: Any, tag: str, header: str, status: int) -> None:
    assert client("PATCH", PATH, {}, headers={"if-unmodified-since": header}).status == status


def test_unmodified_since_of_what_is_missing(client: Any, store: Any, make_record: Any) -> None:
    store.on(QueueUpsert, reply("created", make_record("queue")))
    assert client("PATCH", PATH, WHOLE, headers={"if-unmodified-since": EARLIER}).status == 201


def test_match_overrides_unmodified_since(client: Any, store: Any, tag: str) -> None:
    headers = {"if-match": tag, "if-unmodified-since": EARLIER}
    assert client("PATCH", PATH, {}, headers=headers).status == 200


def test_etag_has_the_form_of_the_service_and_tells_entities_apart(
    client: Any, store: Any, make_record: Any
) -> None:
    tags = {
        etag(kind, Record(id=entity, rev=rev, created=created))
        for kind in ("job", "queue")
        for entity in ("a", "b")
        for rev in (1, 2)
        for created in (1, 2)
    }
    assert len(tags) == 16
    assert etag("job", Record(id="a", rev=10)).startswith('"0000000a-0000-0000-')
    assert [len(part) for part in etag("job", Record(id="a")).strip('"').split("-")] == [8, 4, 4, 4, 12]
