"""Subscriptions to events: what clients send, what they see, and the commands in between."""

from __future__ import annotations

import re
import secrets
from collections.abc import Sequence
from typing import Annotated, Any

import msgspec
from msgspec import UNSET, Meta, UnsetType

from api.errors import BadRequest
from api.wire.folding import folder
from api.wire.lists import entry_id
from api.wire.reading import read
from api.wire.values import MAX_ENTRIES, MAX_SHOWN, Id, Text, encode, optional, timestamp_or_none
from engine.commands import SubscriptionUpsert
from engine.event_filters import PREFIX, EventFilters, type_of
from engine.model import SubscriptionRecord
from engine.outgoing.errors import OutgoingFailed
from engine.outgoing.guard import target as guarded
from engine.subscriptions import signature
from engine.subscriptions.model import (
    MAX_ATTEMPTS,
    MAX_MINUTES,
    MAX_SIGNING,
    NOW,
    Schema,
    Secrets,
    Subscription,
    target,
)

Url = Annotated[str, Meta(pattern="^https?://", max_length=2048)]
Attempts = Annotated[int, Meta(ge=1, le=MAX_ATTEMPTS)]
Minutes = Annotated[int, Meta(ge=1, le=MAX_MINUTES)]
Ids = Annotated[list[Id], Meta(max_length=MAX_ENTRIES)]

_ENTRY = re.compile(r"([0-9]{1,15})(?:-0)?")
_NOW = "now"
_CODE_BYTES = 32


class Destination(msgspec.Struct, rename="camel"):
    """Where events are sent. The URL may hold a key in its query: what clients see is without."""

    endpoint_url: Url


class Filters(msgspec.Struct, rename="camel"):
    """Which events are sent; what is empty lets all pass."""

    event_types: Annotated[list[Text], Meta(max_length=MAX_ENTRIES)] = []
    subject_begins_with: Text = ""
    subject_ends_with: Text = ""
    queue_ids: Ids = []
    channel_ids: Ids = []
    worker_ids: Ids = []

    def stored(self) -> EventFilters:
        """In the router's own terms."""
        try:
            types = frozenset(type_of(name) for name in self.event_types)
        except ValueError as error:
            raise BadRequest(f"The property 'filters.eventTypes' is not valid: {error}.") from None
        return EventFilters(
            types=types,
            subject_begins=self.subject_begins_with,
            subject_ends=self.subject_ends_with,
            queues=frozenset(self.queue_ids),
            channels=frozenset(self.channel_ids),
            workers=frozenset(self.worker_ids),
        )

    @classmethod
    def of(cls, stored: EventFilters) -> Filters:
        """As a client would send what is stored."""
        return cls(
            [PREFIX + name for name in sorted(stored.types)],
            stored.subject_begins,
            stored.subject_ends,
            sorted(stored.queues),
            sorted(stored.channels),
            sorted(stored.workers),
        )


class RetryPolicy(msgspec.Struct, rename="camel"):
    """When an event that does not arrive is given up."""

    max_delivery_attempts: Attempts = MAX_ATTEMPTS
    event_time_to_live_in_minutes: Minutes = MAX_MINUTES


class SubscriptionBody(msgspec.Struct, rename="camel"):
    """What clients may set of a subscription."""

    destination: Destination
    name: Text = ""
    schema: Schema = "eventGrid"
    filters: Filters = msgspec.field(default_factory=Filters)
    retry_policy: RetryPolicy = msgspec.field(default_factory=RetryPolicy)
    enabled: bool = True
    start_after: str = _NOW
    signing_secrets: Annotated[list[str], Meta(max_length=MAX_SIGNING)] | UnsetType = UNSET


_fold = folder(SubscriptionBody)

SIGNING_SECRETS = msgspec.structs.fields(SubscriptionBody)[-1].encode_name


def destination(url: str) -> dict[str, Any]:
    """A patch that names the endpoint."""
    return {"destination": {"endpointUrl": url}}


def body(value: Any) -> SubscriptionBody:
    """A whole subscription as a client describes it; one without a signing secret is given one."""
    subscription = read(value, SubscriptionBody)
    try:
        guarded(subscription.destination.endpoint_url)
    except OutgoingFailed as error:
        raise BadRequest(f"The property 'destination.endpointUrl' is not valid: {error.reason}.") from None
    if subscription.signing_secrets is UNSET:
        subscription.signing_secrets = [signature.new_secret()]
    for secret in subscription.signing_secrets:
        try:
            signature.key_of(secret)
        except signature.BadSecret as error:
            raise BadRequest(f"The property 'signingSecrets' is not valid: {error}.") from None
    if len(set(subscription.signing_secrets)) < len(subscription.signing_secrets):
        raise BadRequest("The property 'signingSecrets' is not valid: a secret is listed twice.")
    return subscription


def rotated(subscription: SubscriptionBody) -> str:
    """Gives a subscription a fresh secret, which is told; the one before it stays live beside it."""
    fresh = signature.new_secret()
    subscription.signing_secrets = [fresh, *(subscription.signing_secrets or [])][:MAX_SIGNING]
    return fresh


def command(
    subscription: SubscriptionBody, subscription_id: str, doc: int, rev: int, origin: str, request: str
) -> SubscriptionUpsert:
    """The command that makes a subscription what its body says.

    origin: URL of this router. request: id of the request for which the newest secret was made, if any.
    """
    url, signing = subscription.destination.endpoint_url, subscription.signing_secrets or []
    stored = Subscription(
        url=_without_query(url),
        schema=subscription.schema,
        name=subscription.name,
        filters=subscription.filters.stored(),
        attempts=subscription.retry_policy.max_delivery_attempts,
        minutes=subscription.retry_policy.event_time_to_live_in_minutes,
        signing=len(signing),
        enabled=subscription.enabled,
        after=_entry_number(subscription.start_after),
    )
    return SubscriptionUpsert(
        id=subscription_id,
        doc=doc,
        rev=rev,
        enabled=stored.enabled,
        after=stored.after,
        target=target(stored.schema, url),
        origin=origin,
        document=stored.text,
        secret=Secrets(url, signing, request).text,
        code=secrets.token_urlsafe(_CODE_BYTES),
    )


def current(record: SubscriptionRecord) -> dict[str, Any]:
    """The subscription as a client would describe it now: what a patch is merged into."""
    stored, kept = Subscription.parse(record.document), Secrets.parse(record.secret)
    subscription: dict[str, Any] = msgspec.to_builtins(
        SubscriptionBody(
            Destination(kept.url),
            stored.name,
            stored.schema,
            Filters.of(stored.filters),
            RetryPolicy(stored.attempts, stored.minutes),
            stored.enabled,
            _entry(stored.after),
            kept.signing,
        )
    )
    return subscription


def check_start(record: SubscriptionRecord, update: SubscriptionUpsert) -> None:
    """Refuses to move the start of a subscription that has begun."""
    if update.after != Subscription.parse(record.document).after:
        raise BadRequest("The property 'startAfter' is not valid: it is of the creation, and cannot change.")


def made_by(record: SubscriptionRecord, request: str) -> list[str]:
    """The secret that this very request has made already, before its answer was lost; none for any other."""
    kept = Secrets.parse(record.secret)
    return kept.signing[:1] if request and kept.request == request else []


def request_of(record: SubscriptionRecord) -> str:
    """The id of the request for which the newest secret was made."""
    return Secrets.parse(record.secret).request


def unchanged(record: SubscriptionRecord, update: SubscriptionUpsert) -> bool:
    """Whether a command would leave the record as it is."""
    return update.document == record.document and update.secret == record.secret


def _without_query(url: str) -> str:
    return url.partition("#")[0].partition("?")[0]


def _entry_number(start: str) -> int:
    if start.lower() == _NOW:
        return NOW
    found = _ENTRY.fullmatch(start)
    if not found:
        raise BadRequest("The property 'startAfter' is not valid: it must be 'now' or the id of an entry.")
    return int(found[1])


def _entry(number: int) -> str:
    return _NOW if number == NOW else entry_id(number)


# ---- what clients see --------------------------------------------------------------------------------------


class _DestinationView(msgspec.Struct, rename="camel"):
    endpoint_base_url: str


class _DeliveryView(msgspec.Struct, rename="camel"):
    cursor: str
    delivered_count: int
    dead_letter_count: int
    parked_count: int
    last_delivered_at: str | UnsetType
    last_error: str | UnsetType
    last_error_at: str | UnsetType
    lagged_at: str | UnsetType


class _SubscriptionView(msgspec.Struct, rename="camel"):
    id: str
    name: str | UnsetType
    destination: _DestinationView
    schema: Schema
    filters: Filters
    retry_policy: RetryPolicy
    enabled: bool
    start_after: str
    signing_secret_count: int
    signing_secrets: Sequence[str] | UnsetType
    status: str
    delivery: _DeliveryView
    etag: str


def view(record: SubscriptionRecord, tag: str, shown: Sequence[str] = ()) -> bytes:
    """The subscription as clients see it; ``shown`` are secrets that were made just now."""
    stored = Subscription.parse(record.document)
    return encode(
        _SubscriptionView(
            record.id,
            optional(stored.name),
            _DestinationView(stored.url),
            stored.schema,
            Filters.of(stored.filters),
            RetryPolicy(stored.attempts, stored.minutes),
            stored.enabled,
            _entry(stored.after),
            stored.signing,
            shown or UNSET,
            record.status,
            _DeliveryView(
                entry_id(record.cursor),
                record.delivered,
                record.dead,
                record.parked,
                timestamp_or_none(record.last_delivered_at),
                optional(record.last_error),
                timestamp_or_none(record.last_error_at if record.last_error else 0),
                timestamp_or_none(record.lagged_at),
            ),
            tag,
        )
    )


# ---- what clients may send ---------------------------------------------------------------------------------


def _names(*kinds: type[msgspec.Struct]) -> dict[str, str]:
    fields = (field for kind in kinds for field in msgspec.structs.fields(kind))
    return {field.encode_name.lower(): field.encode_name for field in fields}


_MEMBERS = {
    "": _names(SubscriptionBody, _SubscriptionView),
    "destination": _names(Destination, _DestinationView),
    "filters": _names(Filters),
    "retrypolicy": _names(RetryPolicy),
}
"""By place, in small letters; what is only shown may be sent back."""


def fold(patch: Any) -> Any:
    """Folds what a client sends to what a body calls its members.

    Raises BadRequest for what has no meaning: a filter with a slip in its name would let all events pass.
    """
    _refuse_unknown(patch, "")
    for name, member in patch.items():
        if name.lower() in _MEMBERS and isinstance(member, dict):
            _refuse_unknown(member, name)
    return _fold(patch)


def _refuse_unknown(members: dict[str, Any], place: str) -> None:
    known = _MEMBERS[place.lower()]
    for name in members:
        if name.lower() not in known:
            path = f"{place}.{name}" if place else name
            told = ", ".join(known.values())
            raise BadRequest(f"The property '{path[:MAX_SHOWN]}' is not known here; known are {told}.")
