"""What an endpoint is asked, and what its answers mean."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from typing import Any

import pytest
from azure.eventgrid import EventGridEvent, SystemEventNames
from standardwebhooks.webhooks import Webhook

from engine.outgoing.client import Answer
from engine.outgoing.errors import EndpointBusy, OutgoingFailed
from engine.subscriptions.handshake import answer
from engine.subscriptions.model import Schema, Secrets, Subscription
from engine.subscriptions.signature import new_secret
from tests.subscriptions.router import CODE, URL

SECRET = new_secret()
CALLBACK = f"https://router.example.com:8443/validate/main?subscription=a%2Fb%20%C3%A4&code={CODE}"


class Endpoint:
    """Answers as it is told, and remembers what it was asked."""

    def __init__(self, given: Answer | Exception) -> None:
        self.given = given
        self.method = self.url = ""
        self.body = b""
        self.headers: dict[str, str] = {}

    def _answer(self) -> Answer:
        if isinstance(self.given, Exception):
            raise self.given
        return self.given

    async def post(self, url: str, body: bytes, headers: Mapping[str, str]) -> Answer:
        self.method, self.url, self.body, self.headers = "POST", url, body, dict(headers)
        return self._answer()

    async def options(self, url: str, headers: Mapping[str, str]) -> Answer:
        self.method, self.url, self.headers = "OPTIONS", url, dict(headers)
        return self._answer()


def ask(endpoint: Endpoint, schema: Schema, origin: str = "https://router.example.com:8443") -> str:
    question: dict[str, Any] = {
        "subscription": "a/b ä",
        "document": Subscription(url=URL, schema=schema).text,
        "secret": Secrets(f"{URL}?key=1", [SECRET]).text,
        "origin": origin,
        "code": CODE,
    }
    return asyncio.run(answer(endpoint, "main", question))


def test_event_grid_sends_an_event_with_a_code() -> None:
    endpoint = Endpoint(Answer(200, json.dumps({"validationResponse": CODE}).encode()))
    assert ask(endpoint, "eventGrid") == "agreed"
    assert (endpoint.method, endpoint.url) == ("POST", f"{URL}?key=1")
    assert endpoint.headers["aeg-event-type"] == "SubscriptionValidation"
    assert endpoint.headers["aeg-subscription-name"] == "A/B%20%C3%84"
    [told] = json.loads(endpoint.body)
    event = EventGridEvent.from_json(json.dumps(told))
    assert event.event_type == SystemEventNames.EventGridSubscriptionValidationEventName
    assert event.data == {"validationCode": CODE, "validationUrl": CALLBACK}
    assert event.topic.endswith("/communicationservices/main")
    assert Webhook(SECRET).verify(endpoint.body, endpoint.headers) == [told]


@pytest.mark.parametrize(
    ("status", "body", "meaning"),
    [
        (200, {"ValidationResponse": CODE, "more": 1}, "agreed"),
        (200, {}, "later"),
        (200, [], "later"),
        (200, "ok", "later"),
        (200, b"", "later"),
        (200, b"\xff<html>", "later"),
        (200, b"[" * 10_000, "later"),
        (
            200,
            {"validationResponse": "another"},
            "failed\nthe endpoint answers the handshake with another code",
        ),
        (200, {"validationResponse": None}, "later"),
        (200, {"validationResponse": [CODE]}, "failed\nthe endpoint answers the handshake with another code"),
        (202, {"validationResponse": CODE}, "failed\nthe endpoint answers the handshake with status 202"),
        (404, b"", "failed\nthe endpoint answers the handshake with status 404"),
        (301, b"", "failed\nthe endpoint answers the handshake with status 301"),
    ],
)
def test_answers_to_event_grid(status: int, body: Any, meaning: str) -> None:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    assert ask(Endpoint(Answer(status, raw)), "eventGrid") == meaning


def test_cloud_events_ask_by_options() -> None:
    endpoint = Endpoint(Answer(200, b"", {"webhook-allowed-origin": "router.example.com"}))
    assert ask(endpoint, "cloudEventsBinary") == "agreed"
    assert (endpoint.method, endpoint.url) == ("OPTIONS", f"{URL}?key=1")
    assert endpoint.headers == {
        "WebHook-Request-Origin": "router.example.com",
        "WebHook-Request-Callback": CALLBACK,
    }


@pytest.mark.parametrize(
    ("status", "allowed", "meaning"),
    [
        (200, "*", "agreed"),
        (200, " Router.Example.com ", "agreed"),
        (404, "router.example.com", "agreed"),
        (200, None, "later"),
        (405, None, "later"),
        (200, "other.example.com", "later"),
        (200, "", "later"),
        (502, None, "failed\nthe endpoint answers the handshake with status 502"),
    ],
)
@pytest.mark.parametrize("schema", ["cloudEventsStructured", "cloudEventsBinary"])
def test_answers_to_cloud_events(schema: Schema, status: int, allowed: str | None, meaning: str) -> None:
    headers = {} if allowed is None else {"webhook-allowed-origin": allowed}
    assert ask(Endpoint(Answer(status, b"", headers)), schema) == meaning


@pytest.mark.parametrize("schema", ["eventGrid", "cloudEventsStructured"])
def test_no_answer_is_a_failure(schema: Schema) -> None:
    assert ask(Endpoint(OutgoingFailed("no connection", again=True)), schema) == "failed\nno connection"
    with pytest.raises(EndpointBusy):
        ask(Endpoint(EndpointBusy()), schema)


@pytest.mark.parametrize(
    ("origin", "name"),
    [("http://localhost:8080", "localhost"), ("http://[::1]:80", "::1"), ("", "localhost")],
)
def test_the_name_of_the_sender(origin: str, name: str) -> None:
    endpoint = Endpoint(Answer(200, b"", {"webhook-allowed-origin": name}))
    assert ask(endpoint, "cloudEventsStructured", origin) == "agreed"


@pytest.mark.parametrize("schema", ["eventGrid", "cloudEventsBinary"])
@pytest.mark.parametrize("host", ["[", "[::1", "[x]", "a b", "r\u00f6uter"])
def test_an_origin_that_is_none_fails_the_handshake(host: str, schema: Schema) -> None:
    endpoint = Endpoint(Answer(200, b"", {"webhook-allowed-origin": "*"}))
    given = ask(endpoint, schema, f"http://{host}")
    assert given.startswith("failed\nthe URL of this router")
    assert endpoint.method == ""
