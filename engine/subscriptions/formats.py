"""How an event is told to an endpoint: as Event Grid does, or as CloudEvents 1.0 in either mode.

Events are stored as Event Grid has them. Their data goes out as it is stored, byte by byte.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple
from urllib.parse import urlsplit

import msgspec

from engine.subscriptions.model import Schema
from engine.subscriptions.signature import headers as signature_headers

_encode = msgspec.json.Encoder().encode

_JSON = "application/json; charset=utf-8"
_CLOUD_EVENT = "application/cloudevents+json; charset=utf-8"

# what the HTTP binding of CloudEvents lets stand: printable ASCII without blank, quote and percent sign
_NAME = re.compile(r"[!-~]+")
_ESCAPED = re.compile(rb"[^!#$&-~]")


class Message(NamedTuple):
    """What is POSTed to an endpoint."""

    body: bytes
    headers: Mapping[str, str]


class Recipient(NamedTuple):
    """Whom a message is for: id and schema of the subscription, URL of this router, live signing secrets."""

    subscription: str
    schema: Schema
    origin: str
    signing: Sequence[str] = ()


class _Event(msgspec.Struct, rename="camel"):
    """What of an Event Grid event has a place of its own in a CloudEvent."""

    id: str
    topic: str
    subject: str
    event_type: str
    event_time: str
    data: msgspec.Raw
    data_version: str = ""


class _CloudEvent(msgspec.Struct):
    specversion: str
    id: str
    source: str
    type: str
    subject: str
    time: str
    datacontenttype: str
    data: msgspec.Raw


def notification(recipient: Recipient, payload: bytes, failed: int, at_seconds: int) -> Message:
    """The message that tells an event; ``failed`` is the number of tries before this one, at epoch seconds.

    Raises msgspec.DecodeError for what is no event.
    """
    raw = _readable(payload)
    event = msgspec.json.decode(raw, type=_Event)
    headers = {
        "aeg-event-type": "Notification",
        "aeg-subscription-name": name_header(recipient.subscription),
        "aeg-delivery-count": str(failed),
        "aeg-data-version": event.data_version,
        "aeg-metadata-version": "1",
    }
    if recipient.schema == "eventGrid":
        body = b"[" + raw + b"]"
        headers["Content-Type"] = _JSON
    else:
        headers["WebHook-Request-Origin"] = origin_host(recipient.origin)
        if recipient.schema == "cloudEventsStructured":
            body = _structured(event)
            headers["Content-Type"] = _CLOUD_EVENT
        else:
            body = bytes(event.data)
            headers |= _attributes(event)
            headers["Content-Type"] = _JSON
    headers |= signature_headers(event.id, at_seconds, body, recipient.signing)
    return Message(body, headers)


def name_header(subscription: str) -> str:
    """The name of a subscription as Event Grid writes it: in capitals; what no header may hold is escaped."""
    return escaped(subscription.upper())


def origin_host(origin: str) -> str:
    """The name by which the sender is known in the handshake of CloudEvents.

    Raises ValueError for a URL that has none which a header may hold.
    """
    name = urlsplit(origin).hostname or "localhost"
    if not _NAME.fullmatch(name):
        raise ValueError("no host")
    return name


def escaped(text: str) -> str:
    """A text as value of a header, as the HTTP binding of CloudEvents has it: UTF-8, percent-encoded."""
    return _ESCAPED.sub(lambda found: b"%%%02X" % found[0][0], text.encode()).decode()


def _readable(payload: bytes) -> bytes:
    """A payload as UTF-8; bytes that are none are replaced, so that every receiver can read it."""
    try:
        payload.decode()
    except UnicodeDecodeError:
        return payload.decode(errors="replace").encode()
    return payload


def _structured(event: _Event) -> bytes:
    return _encode(
        _CloudEvent(
            "1.0",
            event.id,
            event.topic,
            event.event_type,
            event.subject,
            event.event_time,
            "application/json",
            event.data,
        )
    )


def _attributes(event: _Event) -> dict[str, str]:
    return {
        "ce-specversion": "1.0",
        "ce-id": escaped(event.id),
        "ce-source": escaped(event.topic),
        "ce-type": escaped(event.event_type),
        "ce-subject": escaped(event.subject),
        "ce-time": escaped(event.event_time),
    }
