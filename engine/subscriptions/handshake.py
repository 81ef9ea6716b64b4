"""The handshake before an endpoint gets events: it is asked, and agrees in its answer or later by a code.

Event Grid sends an event of its own with a code, which the answer repeats. CloudEvents asks by OPTIONS, and
the answer names who may send. In both, whoever calls the URL that was sent along agrees as well.
"""

from __future__ import annotations

import datetime
import time
import uuid
from collections.abc import Mapping
from typing import Any, Protocol
from urllib.parse import quote, urlencode

import msgspec

from engine.bounded_json import BadJson, decode
from engine.outgoing.client import Answer
from engine.outgoing.errors import OutgoingFailed
from engine.subscriptions.formats import Message, Recipient, name_header, origin_host
from engine.subscriptions.model import Secrets, Subscription
from engine.subscriptions.signature import headers as signature_headers

AGREED = "agreed"
LATER = "later"
_FAILED = "failed\n"

_EVENT_TYPE = "Microsoft.EventGrid.SubscriptionValidationEvent"
_RESPONSE = "validationresponse"
_ALLOWED = "webhook-allowed-origin"
_TOPIC = (
    "/subscriptions/jobrouter/resourcegroups/jobrouter/providers/microsoft.communication/"
    "communicationservices/{}"
)


class Caller(Protocol):
    """What the handshake needs of the guarded client."""

    async def post(self, url: str, body: bytes, headers: Mapping[str, str]) -> Answer:
        """POSTs a body."""

    async def options(self, url: str, headers: Mapping[str, str]) -> Answer:
        """Asks by OPTIONS."""


class _Data(msgspec.Struct, rename="camel"):
    validation_code: str
    validation_url: str


class _Validation(msgspec.Struct, rename="camel"):
    id: str
    topic: str
    subject: str
    data: _Data
    event_type: str
    event_time: str
    metadata_version: str = "1"
    data_version: str = "2"


async def answer(caller: Caller, tenant: str, question: Mapping[str, Any]) -> str:
    """Asks what a leased task asks; its answer as the store takes it. Raises EndpointBusy."""
    stored, secrets = Subscription.parse(question["document"]), Secrets.parse(question["secret"])
    recipient = Recipient(question["subscription"], stored.schema, question["origin"], secrets.signing)
    url = validation_url(recipient, tenant, question["code"])
    try:
        origin = origin_host(recipient.origin)
    except ValueError:
        return f"{_FAILED}the URL of this router that was stored has no valid host: ask for a new handshake"
    try:
        if stored.schema == "eventGrid":
            message = validation(recipient, tenant, question["code"], time.time())
            return _event_grid(await caller.post(secrets.url, *message), question["code"])
        headers = {"WebHook-Request-Origin": origin, "WebHook-Request-Callback": url}
        return _cloud_events(await caller.options(secrets.url, headers), origin)
    except OutgoingFailed as error:
        return f"{_FAILED}{error.reason}"


def validation_url(recipient: Recipient, tenant: str, code: str) -> str:
    """The URL whose call agrees."""
    query = urlencode({"subscription": recipient.subscription, "code": code}, quote_via=quote)
    return f"{recipient.origin}/validate/{tenant}?{query}"


def validation(recipient: Recipient, tenant: str, code: str, at: float) -> Message:
    """The event by which Event Grid asks, at a time in epoch seconds."""
    event = _Validation(
        id=str(uuid.uuid4()),
        topic=_TOPIC.format(tenant),
        subject="",
        data=_Data(code, validation_url(recipient, tenant, code)),
        event_type=_EVENT_TYPE,
        event_time=datetime.datetime.fromtimestamp(at, datetime.UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
    )
    body = msgspec.json.encode([event])
    headers = {
        "Content-Type": "application/json; charset=utf-8",
        "aeg-event-type": "SubscriptionValidation",
        "aeg-subscription-name": name_header(recipient.subscription),
        "aeg-delivery-count": "0",
        "aeg-data-version": event.data_version,
        "aeg-metadata-version": event.metadata_version,
    }
    return Message(body, headers | signature_headers(event.id, int(at), body, recipient.signing))


def _event_grid(given: Answer, code: str) -> str:
    """200 with the code agrees; 200 alone says that somebody will call the URL."""
    if given.status != 200:
        return f"{_FAILED}the endpoint answers the handshake with status {given.status}"
    told = _response(given.body)
    if told is None:
        return LATER
    return AGREED if told == code else f"{_FAILED}the endpoint answers the handshake with another code"


def _response(body: bytes) -> Any:
    """The code in an answer, None when it has none."""
    try:
        value = decode(body)
    except BadJson:
        return None
    members = value.items() if isinstance(value, dict) else ()
    return next((told for name, told in members if name.lower() == _RESPONSE), None)


def _cloud_events(given: Answer, origin: str) -> str:
    """The header alone agrees, whatever the status; without it, somebody may call the URL."""
    allowed = given.headers.get(_ALLOWED, "").strip().lower()
    if allowed in ("*", origin.lower()):
        return AGREED
    if given.status >= 500:
        return f"{_FAILED}the endpoint answers the handshake with status {given.status}"
    return LATER
