"""Messages, read by the official parsers of Event Grid and of CloudEvents."""

from __future__ import annotations

import json
import time
from typing import Any
from urllib.parse import unquote

import msgspec
import pytest
from azure.core.messaging import CloudEvent as AzureCloudEvent
from azure.eventgrid import EventGridEvent
from cloudevents.core.bindings.http import HTTPMessage, from_http_event
from standardwebhooks.webhooks import Webhook

from engine import commands as c
from engine.outbox import as_bytes
from engine.subscriptions.formats import Message, Recipient, escaped, notification
from engine.subscriptions.model import Schema
from engine.subscriptions.signature import new_secret
from tests.subscriptions.router import START, Router

ORIGIN = "https://router.example.com:8443"
CHANNEL = 'voice "1" %C3 Zoë\U0001f600'


@pytest.fixture
def payload(router: Router) -> str:
    """An event as it is stored, with a subject that no header may hold."""
    router.run(c.PolicyUpsert("distribution", "p", expires_ms=1, mode="longestIdle", document="{}"))
    router.run(c.QueueUpsert("q", distribution="p"))
    router.run(c.JobCreate("j 1", channel=CHANNEL, queue="q", labels='"Skill":1.50,\n"Ö":"<&>"'))
    events = router.run(c.EventList())["rows"][0]["events"]
    assert events[0] == "RouterJobReceived"
    return str(events[1])


def told(payload: str, schema: Schema, signing: tuple[str, ...] = (), failed: int = 0) -> Message:
    raw = as_bytes(payload)
    return notification(Recipient("my-Hook ä", schema, ORIGIN, signing), raw, failed, int(time.time()))


def test_event_grid(payload: str) -> None:
    body, headers = told(payload, "eventGrid", failed=3)
    assert body == f"[{payload}]".encode()
    assert headers == {
        "Content-Type": "application/json; charset=utf-8",
        "aeg-event-type": "Notification",
        "aeg-subscription-name": "MY-HOOK%20%C3%84",
        "aeg-delivery-count": "3",
        "aeg-data-version": "1.0",
        "aeg-metadata-version": "1",
    }
    [event] = [EventGridEvent.from_json(json.dumps(one)) for one in json.loads(body)]
    assert event.event_type == "Microsoft.Communication.RouterJobReceived"
    assert event.subject == f"job/j 1/channel/{CHANNEL}"
    assert event.event_time.timestamp() * 1000 == START
    assert event.data_version == "1.0"
    assert event.data["labels"] == {"Skill": 1.5, "Ö": "<&>"}


def expect_cloud_event(payload: str, event: Any) -> None:
    """All that an event says, as a parser has it."""
    stored = json.loads(payload)
    assert event.id == stored["id"]
    assert event.source == stored["topic"]
    assert event.type == stored["eventType"]
    assert event.subject == stored["subject"]
    assert event.time.timestamp() * 1000 == START
    assert event.data == stored["data"]


class Parsed:
    """An event of the cloudevents library with the names of that of azure.core."""

    def __init__(self, body: bytes, headers: dict[str, str]) -> None:
        event = from_http_event(HTTPMessage(headers=headers, body=body))
        self.id, self.source, self.type = event.get_id(), event.get_source(), event.get_type()
        self.subject, self.time, self.data = event.get_subject(), event.get_time(), event.get_data()
        self.version, self.kind = event.get_specversion(), event.get_datacontenttype()


def test_cloud_events_structured(payload: str) -> None:
    body, headers = told(payload, "cloudEventsStructured")
    assert headers["Content-Type"] == "application/cloudevents+json; charset=utf-8"
    expect_cloud_event(payload, AzureCloudEvent.from_json(body))
    parsed = Parsed(body, dict(headers))
    expect_cloud_event(payload, parsed)
    assert (parsed.version, parsed.kind) == ("1.0", "application/json")
    assert payload[payload.index('"data":') : payload.index(',"eventType"')].encode() in body


def test_cloud_events_binary(payload: str) -> None:
    body, headers = told(payload, "cloudEventsBinary")
    assert headers["Content-Type"].startswith("application/json")
    assert all(value.isascii() and value.isprintable() for value in headers.values())
    parsed = Parsed(body, {**headers, "Content-Type": "application/json"})
    expect_cloud_event(payload, parsed)
    assert parsed.version == "1.0"
    assert headers["ce-subject"] == "job/j%201/channel/voice%20%221%22%20%25C3%20Zo%C3%AB%F0%9F%98%80"
    assert unquote(headers["ce-subject"]) == json.loads(payload)["subject"]


@pytest.mark.parametrize("schema", ["cloudEventsStructured", "cloudEventsBinary"])
def test_cloud_events_tell_who_sends(payload: str, schema: Schema) -> None:
    headers = told(payload, schema).headers
    assert headers["WebHook-Request-Origin"] == "router.example.com"
    assert headers["aeg-event-type"] == "Notification"


@pytest.mark.parametrize("schema", ["eventGrid", "cloudEventsStructured", "cloudEventsBinary"])
def test_each_schema_is_signed(payload: str, schema: Schema) -> None:
    old, new = new_secret(), new_secret()
    body, headers = told(payload, schema, (new, old))
    assert headers["webhook-id"] == json.loads(payload)["id"]
    for secret in (old, new):
        assert Webhook(secret).verify(body, dict(headers))


def test_bytes_that_are_no_text_are_replaced(payload: str) -> None:
    broken = payload.replace("<&>", "\udcff")
    for schema in ("eventGrid", "cloudEventsStructured", "cloudEventsBinary"):
        body, _ = told(broken, schema)  # type: ignore[arg-type]
        assert '"Ö":"\ufffd"' in body.decode()


@pytest.mark.parametrize("payload", ["", "{}", "[]", "nonsense", '{"id":1}'])
def test_what_is_no_event_is_told(payload: str) -> None:
    with pytest.raises(msgspec.DecodeError):
        told(payload, "eventGrid")


def test_every_character_can_stand_in_a_header() -> None:
    text = "".join(map(chr, range(0x180))) + "\u2028\U0010ffff"
    assert unquote(escaped(text)) == text
    assert all(0x21 <= ord(one) <= 0x7E and one != '"' for one in escaped(text))
    assert escaped("plain/text-~!#$&'()*+,:;=?@[]^_`{|}") == "plain/text-~!#$&'()*+,:;=?@[]^_`{|}"
