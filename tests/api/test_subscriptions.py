"""Subscriptions on the wire: what is stored of them, what is shown, and what is refused."""

from __future__ import annotations

import json
from base64 import b64decode, b64encode
from typing import Any

import pytest

from engine.commands import (
    DeadLetterList,
    DeadLetterReplay,
    RouterStatus,
    SubscriptionConfirm,
    SubscriptionDelete,
    SubscriptionList,
    SubscriptionRead,
    SubscriptionUpsert,
)
from engine.errors import Refused, Unavailable
from engine.event_filters import EventFilters
from engine.subscriptions.model import Secrets, Subscription, target

PATH = "/ext/v1/subscriptions/s"
URL = "https://hooks.example.com/events"
LEAST = {"destination": {"endpointUrl": URL}}
SECRETS = [f"whsec_{b64encode(bytes([n]) * 32).decode()}" for n in range(3)]
FULL = {
    "name": "to the CRM",
    "destination": {"endpointUrl": f"{URL}?code=key"},
    "schema": "cloudEventsBinary",
    "filters": {
        "eventTypes": ["Microsoft.Communication.RouterJobQueued", "RouterJobClosed"],
        "subjectBeginsWith": "job/",
        "subjectEndsWith": "/voice",
        "queueIds": ["sales", "care"],
        "channelIds": ["voice"],
        "workerIds": ["anna"],
    },
    "retryPolicy": {"maxDeliveryAttempts": 5, "eventTimeToLiveInMinutes": 60},
    "enabled": False,
    "startAfter": "12-0",
    "signingSecrets": SECRETS[:2],
}


@pytest.fixture
def kept(store: Any) -> dict[str, dict[str, Any]]:
    """Stores subscriptions as the engine does."""
    found: dict[str, dict[str, Any]] = {}

    def write(command: SubscriptionUpsert) -> dict[str, Any]:
        before = found.get(command.id)
        if command.doc == 0 and before:
            return {"outcome": "exists", "op": 9, **before}
        if before and command.doc != before["doc"]:
            raise Refused("CHANGED", "it has changed since it was read")
        count = before["doc"] + 1 if before else 1
        found[command.id] = {
            "id": command.id,
            "doc": count,
            "rev": count,
            "created": 7,
            "modified_at": 1_700_000_000_500,
            "document": command.document,
            "secret": command.secret,
            "status": "validating" if command.enabled else "disabled",
            "cursor": "5",
        }
        return {"outcome": "updated" if before else "created", "op": 9, **found[command.id]}

    def read(command: SubscriptionRead) -> dict[str, Any]:
        if command.id not in found:
            raise Refused("NOT_FOUND", "The item was not found.")
        return found[command.id]

    store.on(SubscriptionUpsert, write)
    store.on(SubscriptionRead, read)
    store.on(SubscriptionDelete, {"outcome": "deleted", "op": 9})
    return found


def written(store: Any) -> list[SubscriptionUpsert]:
    """The commands that would have written."""
    return [command for command in store.commands if isinstance(command, SubscriptionUpsert)]


def test_all_of_a_subscription(client: Any, store: Any, kept: Any) -> None:
    response = client("PATCH", PATH, FULL)
    assert response.status == 201
    assert response.json == {
        **{name: value for name, value in FULL.items() if name != "signingSecrets"},
        "id": "s",
        "destination": {"endpointBaseUrl": URL},
        "filters": {
            **FULL["filters"],  # type: ignore[dict-item]
            "eventTypes": [
                "Microsoft.Communication.RouterJobClosed",
                "Microsoft.Communication.RouterJobQueued",
            ],
            "queueIds": ["care", "sales"],
        },
        "signingSecretCount": 2,
        "status": "disabled",
        "delivery": {"cursor": "5-0", "deliveredCount": 0, "deadLetterCount": 0, "parkedCount": 0},
        "etag": response.headers["etag"],
    }
    [command] = written(store)
    assert Subscription.parse(command.document) == Subscription(
        url=URL,
        schema="cloudEventsBinary",
        name="to the CRM",
        filters=EventFilters(
            types=frozenset({"RouterJobQueued", "RouterJobClosed"}),
            subject_begins="job/",
            subject_ends="/voice",
            queues=frozenset({"sales", "care"}),
            channels=frozenset({"voice"}),
            workers=frozenset({"anna"}),
        ),
        attempts=5,
        minutes=60,
        signing=2,
        enabled=False,
        after=12,
    )
    assert Secrets.parse(command.secret) == Secrets(f"{URL}?code=key", SECRETS[:2])
    assert (command.enabled, command.after) == (False, 12)
    assert command.target == target("cloudEventsBinary", f"{URL}?code=key")
    assert command.origin == "http://localhost"
    assert len(command.code) > 40


def test_the_least_of_a_subscription(client: Any, store: Any, kept: Any) -> None:
    shown = client("PATCH", PATH, LEAST).json
    assert "name" not in shown
    assert shown["schema"] == "eventGrid"
    assert shown["filters"] == {
        "eventTypes": [],
        "subjectBeginsWith": "",
        "subjectEndsWith": "",
        "queueIds": [],
        "channelIds": [],
        "workerIds": [],
    }
    assert shown["retryPolicy"] == {"maxDeliveryAttempts": 30, "eventTimeToLiveInMinutes": 1440}
    assert (shown["enabled"], shown["startAfter"], shown["status"]) == (True, "now", "validating")
    [command] = written(store)
    assert (command.after, command.doc) == (-1, 0)


def test_a_secret_that_is_made_is_shown_once(client: Any, store: Any, kept: Any) -> None:
    first = client("PATCH", PATH, LEAST).json
    [secret] = first["signingSecrets"]
    assert secret.startswith("whsec_")
    assert len(b64decode(secret.removeprefix("whsec_"))) == 32
    assert Secrets.parse(kept["s"]["secret"]).signing == [secret]
    for later in (client("GET", PATH), client("PATCH", PATH, LEAST), client("PATCH", PATH, {"name": "n"})):
        assert later.status == 200
        assert "signingSecrets" not in later.json
        assert later.json["signingSecretCount"] == 1
    assert Secrets.parse(kept["s"]["secret"]).signing == [secret]
    fresh = client("PATCH", PATH, {"signingSecrets": None}).json["signingSecrets"]
    assert fresh == Secrets.parse(kept["s"]["secret"]).signing != [secret]


@pytest.mark.parametrize("given", [[], SECRETS[:1], SECRETS[:2]])
def test_secrets_that_are_given_are_never_shown(client: Any, kept: Any, given: list[str]) -> None:
    for response in (client("PATCH", PATH, LEAST | {"signingSecrets": given}), client("GET", PATH)):
        assert response.json["signingSecretCount"] == len(given)
        assert "whsec_" not in response.body.decode()
    assert Secrets.parse(kept["s"]["secret"]).signing == given


def test_a_patch_keeps_what_it_does_not_name(client: Any, store: Any, kept: Any) -> None:
    client("PATCH", PATH, FULL)
    before = kept["s"]
    response = client("PATCH", PATH, {"filters": {"queueIds": None}, "enabled": True})
    assert response.status == 200
    document = Subscription.parse(kept["s"]["document"])
    assert document.filters.queues == frozenset()
    assert document.filters.workers == {"anna"}
    assert kept["s"]["secret"] == before["secret"]
    assert response.headers["etag"] != f'"{before["rev"]}"'


def test_what_was_read_can_be_sent_back(client: Any, store: Any, kept: Any) -> None:
    client("PATCH", PATH, FULL)
    shown = client("GET", PATH)
    same = client("PATCH", PATH, shown.body)
    assert (same.status, same.body, len(written(store))) == (200, shown.body, 1)


def test_the_url_is_shown_without_its_query(client: Any, kept: Any) -> None:
    for url in (f"{URL}?code=key", f"{URL}#key", f"{URL}?a=key#b"):
        client("PATCH", PATH, {"destination": {"endpointUrl": url}})
        assert client("GET", PATH).json["destination"] == {"endpointBaseUrl": URL}
        assert Secrets.parse(kept["s"]["secret"]).url == url


def test_an_etag_guards_it(client: Any, kept: Any) -> None:
    tag = client("PATCH", PATH, LEAST).headers["etag"]
    assert client("PATCH", PATH, {"name": "n"}, headers={"If-Match": '"other"'}).status == 412
    assert client("PATCH", PATH, {"name": "n"}, headers={"If-None-Match": "*"}).status == 412
    assert client("PATCH", PATH, {"name": "n"}, headers={"If-Match": tag}).status == 200
    assert client("PATCH", PATH, {"name": "m"}, headers={"If-Match": tag}).status == 412


BAD = [
    ({}, "The property 'destination' is required."),
    ({"destination": {}}, "The property 'destination.endpointUrl' is required."),
    ({"destination": {"endpointUrl": "ftp://a/"}}, "'destination.endpointUrl' is not valid"),
    (
        {"destination": {"endpointUrl": "https://"}},
        "'destination.endpointUrl' is not valid: the URL has no host",
    ),
    ({"destination": {"endpointUrl": "https://u:p@a/"}}, "the URL holds a user name or password"),
    ({"destination": {"endpointUrl": "https://a/ b"}}, "the URL holds a blank or a control character"),
    ({"destination": {"endpointUrl": f"https://a/{'x' * 2048}"}}, "'destination.endpointUrl' is not valid"),
    (LEAST | {"schema": "xml"}, "'cloudEventsBinary', 'cloudEventsStructured' or 'eventGrid'"),
    (
        LEAST | {"filters": {"eventTypes": ["Nothing"]}},
        "'filters.eventTypes' is not valid: 'Nothing' is no type",
    ),
    (LEAST | {"filters": {"queueIds": [""]}}, "'filters.queueIds[0]' is not valid"),
    (LEAST | {"filters": {"queueIds": ["q"] * 101}}, "'filters.queueIds' is not valid"),
    (LEAST | {"retryPolicy": {"maxDeliveryAttempts": 0}}, "'retryPolicy.maxDeliveryAttempts' is not valid"),
    (LEAST | {"retryPolicy": {"maxDeliveryAttempts": 31}}, "'retryPolicy.maxDeliveryAttempts' is not valid"),
    (LEAST | {"retryPolicy": {"eventTimeToLiveInMinutes": 0}}, "'retryPolicy.eventTimeToLiveInMinutes'"),
    (LEAST | {"retryPolicy": {"eventTimeToLiveInMinutes": 1441}}, "'retryPolicy.eventTimeToLiveInMinutes'"),
    (LEAST | {"enabled": "yes"}, "'enabled' is not valid"),
    # a filter with a slip in its name would let all events pass
    (
        LEAST | {"filterz": {}},
        "The property 'filterz' is not known here; known are destination, name, schema,",
    ),
    (
        LEAST | {"filters": {"queueIds": ["q"], "queueId": "q"}},
        "The property 'filters.queueId' is not known here; known are eventTypes, subjectBeginsWith,",
    ),
    (LEAST | {"destination": {"endpointUrl": URL, "key": 1}}, "'destination.key' is not known here"),
    (LEAST | {"retryPolicy": {"attempts": 1}}, "'retryPolicy.attempts' is not known here"),
    (LEAST | {"startAfter": "soon"}, "'startAfter' is not valid: it must be 'now' or the id of an entry"),
    (LEAST | {"startAfter": "-1"}, "'startAfter' is not valid"),
    (LEAST | {"signingSecrets": SECRETS}, "'signingSecrets' is not valid"),
    (LEAST | {"signingSecrets": [SECRETS[0]] * 2}, "a secret is listed twice"),
    (LEAST | {"signingSecrets": ["c2VjcmV0"]}, "a signing secret is whsec_ and the base64 of 24 to 64 bytes"),
    (LEAST | {"signingSecrets": ["whsec_c2VjcmV0"]}, "a signing secret is whsec_"),
    (LEAST | {"signingSecrets": ["whsec_" + "!" * 40]}, "a signing secret is whsec_"),
]


@pytest.mark.parametrize(("body", "text"), BAD)
def test_what_is_refused(client: Any, store: Any, kept: Any, body: Any, text: str) -> None:
    response = client("PATCH", PATH, body)
    assert response.status == 400
    assert text in response.error["message"]
    assert written(store) == []


def test_no_error_repeats_a_secret(client: Any, kept: Any) -> None:
    response = client("PATCH", PATH, LEAST | {"signingSecrets": ["whsec_my-secret"]})
    assert "my-secret" not in response.body.decode()


def test_the_start_cannot_be_moved(client: Any, store: Any, kept: Any) -> None:
    client("PATCH", PATH, FULL)
    assert client("PATCH", PATH, {"startAfter": "12"}).status == 200
    for start in ("now", "13-0", None):
        response = client("PATCH", PATH, {"startAfter": start})
        assert (response.status, "'startAfter'" in response.error["message"]) == (400, True)


@pytest.mark.parametrize(
    ("refusal", "status"),
    [(Refused("LIMIT", "as many as there may be"), 409), (Refused("INVALID", "gone"), 400)],
)
def test_what_the_router_refuses(client: Any, store: Any, refusal: Refused, status: int) -> None:
    store.on(SubscriptionUpsert, refusal)
    response = client("PATCH", PATH, LEAST)
    assert (response.status, response.error["message"]) == (status, refusal.text)


def test_it_is_listed_in_pages(client: Any, store: Any, make_record: Any) -> None:
    told = {"delivered": 3, "last_error": "status 500", "last_error_at": 1_000, "lagged_at": 2_500}
    rows = [make_record("subscription", id=name, **told) for name in "ba"]
    store.on(SubscriptionList, {"next": 4, "rows": rows}, {"next": 0, "rows": []})
    page = client("GET", "/ext/v1/subscriptions?maxpagesize=2").json
    assert [row["id"] for row in page["value"]] == ["b", "a"]
    assert page["value"][0]["delivery"] == {
        "cursor": "5-0",
        "deliveredCount": 3,
        "deadLetterCount": 0,
        "parkedCount": 0,
        "lastError": "status 500",
        "lastErrorAt": "1970-01-01T00:00:01+00:00",
        "laggedAt": "1970-01-01T00:00:02.5+00:00",
    }
    assert client("GET", page["nextLink"], version=None).json == {"value": []}
    client("GET", "/ext/v1/subscriptions?maxpagesize=1000")
    assert store.commands == [SubscriptionList(2, 0), SubscriptionList(2, 4), SubscriptionList(100, 0)]


def test_without_an_error_there_is_no_time_of_one(client: Any, store: Any, make_record: Any) -> None:
    """Asked again, it has forgotten the reason."""
    record = make_record("subscription", id="s", last_error="", last_error_at=1_000)
    store.on(SubscriptionList, {"next": 0, "rows": [record]})
    [row] = client("GET", "/ext/v1/subscriptions").json["value"]
    assert not {"lastError", "lastErrorAt"} & row["delivery"].keys()


def test_it_is_deleted(client: Any, store: Any, kept: Any) -> None:
    assert client("DELETE", PATH).status == 204
    assert store.commands == [SubscriptionDelete("s")]
    assert client("GET", PATH).status == 404


@pytest.mark.parametrize(
    ("settings", "host", "origin"),
    [
        ({}, "localhost:8080", "http://localhost:8080"),
        ({"public_base_url": "https://jobs.example.com/"}, "localhost", "https://jobs.example.com"),
        ({"public_base_url": "https://jobs.example.com"}, "router.example.com", "https://jobs.example.com"),
        ({}, "router.example.com", "http://router.example.com"),
    ],
)
def test_endpoints_are_told_where_the_router_is(
    make_client: Any, store: Any, kept: Any, settings: dict[str, str], host: str, origin: str
) -> None:
    client = make_client(**settings)
    key = {"key": b"other-key"} if host.startswith("router") else {}
    response = client("PATCH", PATH, LEAST, host=host, **key)
    assert response.status == 201
    assert written(store)[0].origin == origin


def test_a_rotated_secret_is_shown_and_the_one_before_stays(client: Any, store: Any, kept: Any) -> None:
    [first] = client("PATCH", PATH, LEAST).json["signingSecrets"]
    made = [first]
    for _ in range(3):
        response = client("POST", f"{PATH}:rotateSecret")
        assert response.status == 200
        made.append(response.json["signingSecrets"][0])
        assert len(response.json["signingSecrets"]) == 1
        assert response.json["signingSecretCount"] == 2
        assert Secrets.parse(kept["s"]["secret"]).signing == [made[-1], made[-2]]
    assert len(set(made)) == 4
    client("PATCH", PATH, {"signingSecrets": []})
    assert client("POST", f"{PATH}:rotateSecret").json["signingSecretCount"] == 1


def test_a_repeated_request_shows_the_secret_that_it_has_made(client: Any, store: Any, kept: Any) -> None:
    """An answer may be lost: with the same request id, nothing is made twice."""

    def send(method: str, path: str, body: Any, request_id: str) -> Any:
        return client(method, path, body, headers={"x-ms-client-request-id": request_id}).json

    first = send("PATCH", PATH, LEAST, "one")
    assert send("PATCH", PATH, LEAST, "one") == first
    assert "signingSecrets" not in send("PATCH", PATH, LEAST, "two")
    assert "signingSecrets" not in client("PATCH", PATH, {"name": "n"}).json
    rotated = send("POST", f"{PATH}:rotateSecret", None, "three")
    assert send("POST", f"{PATH}:rotateSecret", None, "three") == rotated
    assert "signingSecrets" not in send("POST", f"{PATH}:validate", None, "three-and-a-half")
    assert send("POST", f"{PATH}:rotateSecret", None, "three")["signingSecrets"] == rotated["signingSecrets"]
    assert Secrets.parse(kept["s"]["secret"]).signing == [
        *rotated["signingSecrets"],
        *first["signingSecrets"],
    ]
    fresh = send("PATCH", PATH, {"signingSecrets": None}, "four")
    assert send("PATCH", PATH, {"signingSecrets": None}, "four") == fresh
    assert fresh["signingSecrets"] not in (first["signingSecrets"], rotated["signingSecrets"])
    assert "four" not in client("GET", PATH).body.decode()


def test_it_is_asked_again(client: Any, store: Any, kept: Any) -> None:
    client("PATCH", PATH, FULL)
    before = written(store)[0]
    response = client("POST", f"{PATH}:validate")
    assert (response.status, "signingSecrets" in response.json) == (200, False)
    again = written(store)[1]
    assert (again.document, again.secret, again.target) == (before.document, before.secret, before.target)
    assert again.code != before.code
    assert again.doc == 1


@pytest.mark.parametrize("action", ["validate", "rotateSecret"])
def test_actions_are_guarded(client: Any, store: Any, kept: Any, action: str) -> None:
    assert client("POST", f"{PATH}:{action}").status == 404
    client("PATCH", PATH, LEAST)
    assert client("POST", f"{PATH}:{action}", headers={"If-Match": '"other"'}).status == 412
    store.on(SubscriptionUpsert, Refused("CHANGED", "changed"), {"outcome": "updated", "op": 9, **kept["s"]})
    assert client("POST", f"{PATH}:{action}").status == 200


VALIDATE = "/validate/other?subscription=a%2Fb%20%C3%A4&code=the-code"


def fetch(client: Any, method: str, target: str) -> Any:
    """Without any signature."""
    return client.send(method, target, b"", {"host": "localhost"})


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_who_has_the_code_agrees(client: Any, store: Any, method: str) -> None:
    store.on(SubscriptionConfirm, {"op": 9})
    response = fetch(client, method, VALIDATE)
    assert response.status == 200
    assert "'a/b ä'" in response.body.decode()
    assert response.headers["cache-control"] == "no-store"
    assert store.commands == [SubscriptionConfirm("a/b ä", "the-code")]
    assert store.roots == ["jr:{other}"]


@pytest.mark.parametrize(
    "target",
    [
        "/validate/other",
        "/validate/other?subscription=s",
        "/validate/other?code=c",
        "/validate/other?subscription=s&code=",
        f"/validate/other?subscription=s&code={'c' * 257}",
        f"/validate/other?subscription={'s' * 257}&code=c",
        "/validate/other?subscription=%00&code=c",
        "/validate/nobody?subscription=s&code=c",
        "/validate/%7Bmain%7D?subscription=s&code=c",
    ],
)
def test_what_is_no_code_is_not_asked_for(client: Any, store: Any, target: str) -> None:
    response = fetch(client, "GET", target)
    assert (response.status, store.commands) == (404, [])
    assert response.json["error"]["code"] == "NotFound"


def test_a_wrong_code_tells_nothing(client: Any, store: Any) -> None:
    store.on(SubscriptionConfirm, Refused("NOT_FOUND", "This code is not valid, or not any more."))
    wrong = fetch(client, "GET", VALIDATE)
    unknown = fetch(client, "GET", VALIDATE.replace("other", "nobody"))
    assert wrong.status == unknown.status == 404
    assert wrong.json["error"]["message"] == unknown.json["error"]["message"]
    assert "the-code" not in wrong.body.decode()


def test_looking_ahead_does_not_agree(client: Any, store: Any) -> None:
    store.on(SubscriptionConfirm, {"op": 0})
    assert fetch(client, "HEAD", VALIDATE).status == 200
    assert fetch(client, "DELETE", VALIDATE).status == 405
    assert store.commands == [SubscriptionConfirm("a/b ä", "the-code", look=True)]
    # the status is that of a GET
    store.on(SubscriptionConfirm, Refused("NOT_FOUND", "This code is not valid, or not any more."))
    assert fetch(client, "HEAD", VALIDATE).status == 404


def test_the_store_may_be_away(client: Any, store: Any) -> None:
    store.on(SubscriptionConfirm, Unavailable("the store cannot answer now"))
    response = fetch(client, "GET", VALIDATE)
    assert (response.status, response.json["error"]["code"]) == (503, "ServiceUnavailable")


def test_a_served_router_keeps_them(call: Any) -> None:
    path = "/ext/v1/subscriptions/served"
    status, created = call("PATCH", path, FULL | {"startAfter": "0-0"})
    assert (status, created["status"]) == (201, "disabled")
    assert call("GET", path) == (200, created)
    assert created in call("GET", "/ext/v1/subscriptions")[1]["value"]
    assert call("DELETE", path)[0] == 204
    assert call("GET", path)[0] == 404


# ---- dead letters ------------------------------------------------------------------------------------------

EVENT = '{"id":"1","topic":"t","data":{"a":1.50},"eventTime":"2026-01-01T00:00:00.000Z"}'


def letter(letter_id: str, **facts: Any) -> dict[str, Any]:
    """A dead letter as it is stored."""
    tries = {"count": 3, "first": 1, "last": 1_700_000_000_250, "status": 500, "why": "attempts", **facts}
    return {
        "id": letter_id,
        "at": "1700000000500",
        "lane": "job:j",
        "place": "7.1",
        "facts": json.dumps(tries),
        "event": EVENT,
    }


def test_dead_letters_are_listed(client: Any, store: Any) -> None:
    lost = {"id": "9-2", "at": "1700000000500", "first": "3-0", "last": "6-0"}
    store.on(DeadLetterList, {"next": "9-2", "rows": [letter("9-1", outcome="status 500"), lost]})
    response = client("GET", f"{PATH}/deadLetters?after=8-1&limit=2")
    assert response.status == 200
    assert response.json == {
        "value": [
            {
                "id": "9-1",
                "deadLetteredAt": "2023-11-14T22:13:20.5+00:00",
                "event": {
                    **json.loads(EVENT),
                    "deadLetterReason": "MaxDeliveryAttemptsExceeded",
                    "deliveryAttempts": 3,
                    "lastDeliveryOutcome": "InternalServerError",
                    "publishTime": "2026-01-01T00:00:00.000Z",
                    "lastDeliveryAttemptTime": "2023-11-14T22:13:20.25+00:00",
                    "lastHttpStatusCode": 500,
                    "lastDeliveryError": "status 500",
                },
            },
            {
                "id": "9-2",
                "deadLetteredAt": "2023-11-14T22:13:20.5+00:00",
                "lost": {"deadLetterReason": "EventsNotKept", "firstId": "3-0", "lastId": "6-0"},
            },
        ],
        "next": "9-2",
    }
    assert store.commands == [DeadLetterList("s", "8-1", 2)]
    assert b'"a":1.50' in response.body


@pytest.mark.parametrize(
    ("facts", "reason", "outcome"),
    [
        ({"why": "attempts", "status": 503}, "MaxDeliveryAttemptsExceeded", "Busy"),
        (
            {"why": "age", "status": 0, "outcome": "no answer within 30 s", "late": True},
            "MaxRetryDurationExceeded",
            "TimedOut",
        ),
        ({"why": "age", "status": 0, "outcome": "no connection"}, "MaxRetryDurationExceeded", "GenericError"),
        ({"why": "refused", "status": 401}, "UndeliverableDueToClientError", "Unauthorized"),
    ],
)
def test_why_events_were_given_up(
    client: Any, store: Any, facts: dict[str, Any], reason: str, outcome: str
) -> None:
    store.on(DeadLetterList, {"next": "", "rows": [letter("9-1", **facts)]})
    page = client("GET", f"{PATH}/deadLetters").json
    assert "next" not in page
    event = page["value"][0]["event"]
    assert (event["deadLetterReason"], event["lastDeliveryOutcome"]) == (reason, outcome)


def test_named_dead_letters_are_replayed(client: Any, store: Any) -> None:
    store.on(DeadLetterReplay, {"op": 9, "replayed": 2, "next": ""})
    response = client("POST", f"{PATH}:replay", {"ids": ["9-1", "9-2"]})
    assert (response.status, response.json) == (200, {"replayedCount": 2})
    assert store.commands == [DeadLetterReplay("s", ["9-1", "9-2"])]


def test_all_dead_letters_are_replayed_in_portions(client: Any, store: Any) -> None:
    store.on(RouterStatus, {"op": 12})
    store.on(
        DeadLetterReplay,
        {"op": 13, "replayed": 100, "next": "9-7"},
        {"op": 14, "replayed": 5, "next": ""},
    )
    response = client("POST", f"{PATH}:replay")
    assert response.json == {"replayedCount": 105}
    assert store.commands[1:] == [
        DeadLetterReplay("s", last="12-999999"),
        DeadLetterReplay("s", after="9-7", last="12-999999"),
    ]


@pytest.mark.parametrize("ids", [["9"], ["x"], [""], [9], "9-1", ["9-1"] * 101])
def test_what_is_no_list_of_dead_letters(client: Any, store: Any, ids: Any) -> None:
    response = client("POST", f"{PATH}:replay", {"ids": ids})
    assert (response.status, store.commands) == (400, [])
    assert "'ids" in response.error["message"]


@pytest.mark.parametrize("query", ["after=x", "after=9", "limit=0"])
def test_what_is_no_page_of_dead_letters(client: Any, store: Any, query: str) -> None:
    assert client("GET", f"{PATH}/deadLetters?{query}").status == 400
    assert store.commands == []


# ---- where endpoints reach this router ---------------------------------------------------------------------


@pytest.mark.parametrize(
    "host",
    [
        "[",
        "[::1",
        "[::g]",
        "a/b",
        "<script>",
        "a b",
        "localhost:abc",
        "localhost:65536",
        "",
        "a@b",
        "a?b",
    ],
)
def test_a_host_that_is_none_is_no_origin(client: Any, store: Any, kept: Any, host: str) -> None:
    response = client("PATCH", PATH, LEAST, host=host)
    assert response.status == 400
    assert "'Host'" in response.error["message"]
    assert kept == {}


@pytest.mark.parametrize(
    "host", ["localhost", "127.0.0.1:8080", "[::1]", "[::1]:80", "a-b_c.example.com:65535"]
)
def test_a_host_is_the_origin(client: Any, store: Any, kept: Any, host: str) -> None:
    assert client("PATCH", PATH, LEAST, host=host).status == 201
    assert store.commands[-1].origin == f"http://{host}"


def test_a_public_url_is_the_origin_whatever_the_host(make_client: Any, store: Any, kept: Any) -> None:
    client = make_client(public_base_url="https://router.example.com/")
    assert client("PATCH", PATH, LEAST, host="[").status == 201
    assert store.commands[-1].origin == "https://router.example.com"


@pytest.mark.parametrize("action", ["rotateSecret", "validate"])
@pytest.mark.parametrize("body", [b"{", b"[1]"])
def test_actions_refuse_what_they_do_not_take(client: Any, kept: Any, action: str, body: bytes) -> None:
    client("PATCH", PATH, LEAST)
    secrets = kept["s"]["secret"]
    assert client("POST", f"{PATH}:{action}", body).status == 400
    assert kept["s"]["secret"] == secrets
