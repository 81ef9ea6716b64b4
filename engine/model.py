"""The entities of the router as records, and the texts in which their documents are stored.

Redis replies with flat maps of texts; a record is such a map with types and defaults. Documents (labels,
tags, notes, selectors, channels, queues) are kept as canonical text, one element a line, so that equal
content is equal text and the Lua library never has to re-encode a user's JSON.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, TypeVar

import msgspec

Scalar = str | int | float | bool
R = TypeVar("R", bound="Record")

_encode = msgspec.json.Encoder(order="deterministic").encode
_decode = msgspec.json.decode


def json_text(value: Any) -> str:
    """Any JSON value as canonical text: compact, members of objects sorted."""
    return _encode(value).decode()


# ---- documents ---------------------------------------------------------------------------------------------


class Selector(msgspec.Struct, frozen=True):
    """A worker selector; ``value`` is JSON text (empty = absent), ``seconds`` number text (empty = none)."""

    key: str
    operator: str
    value: str = ""
    seconds: str = ""
    expedite: bool = False
    added: int | None = None

    def expires_at(self, enqueued_at: int | None) -> int | None:
        """When it runs out (epoch ms); None when it does not, or its clock has not started."""
        start = enqueued_at if self.added is None else self.added
        if not self.seconds or start is None:
            return None
        return start + int(float(self.seconds) * 1000 + 0.5)


class Note(msgspec.Struct, frozen=True):
    """A note of a job; without ``added_ms`` it is dated when it is stored."""

    message: str
    added_ms: int | None = None


class Channel(msgspec.Struct, frozen=True):
    """A channel of a worker; ``most`` None = as many jobs as capacity allows."""

    id: str
    cost: int
    most: int | None = None


def members_text(members: Mapping[str, Scalar]) -> str:
    """Labels or tags as text."""
    return b",\n".join([_encode(key) + b":" + _encode(members[key]) for key in sorted(members)]).decode()


def members(text: str) -> dict[str, Scalar]:
    """Labels or tags from their text."""
    return _decode(members_object(text)) if text else {}


def members_object(text: str) -> bytes:
    """Labels or tags as a JSON object, made without decoding: their lines are its members."""
    return b"{" + text.replace("\n", "").encode() + b"}"


def strings_text(strings: Iterable[str]) -> str:
    """Strings as text in their order, each once."""
    return b"\n".join([_encode(string) for string in dict.fromkeys(strings)]).decode()


def strings_array(text: str) -> bytes:
    """Strings as a JSON array, made without decoding."""
    return b"[" + text.replace("\n", ",").encode() + b"]"


def strings(text: str) -> list[str]:
    """Strings from their text."""
    return _decode(strings_array(text)) if text else []


def channels_text(channels: Iterable[Channel]) -> str:
    """A worker's channels as text."""
    return "\n".join(
        f"{json_text(channel.id)}\t{channel.cost}\t{'' if channel.most is None else channel.most}"
        for channel in channels
    )


def channels(text: str) -> list[Channel]:
    """A worker's channels from their text."""
    rows = [line.split("\t") for line in text.split("\n")] if text else []
    return [Channel(_decode(name), int(cost), int(most) if most else None) for name, cost, most in rows]


def selectors_text(selectors: Iterable[Selector]) -> str:
    """Worker selectors as text."""
    return "\n".join(
        f"{json_text(s.key)}\t{s.operator}\t{s.value}\t{s.seconds}\t{int(s.expedite)}\t"
        f"{'' if s.added is None else s.added}"
        for s in selectors
    )


def selectors(text: str) -> list[Selector]:
    """Worker selectors from their text."""
    rows = [line.split("\t") for line in text.split("\n")] if text else []
    return [
        Selector(_decode(key), operator, value, seconds, expedite == "1", int(added) if added else None)
        for key, operator, value, seconds, expedite, added in rows
    ]


def undated_selectors(text: str) -> str:
    """Worker selectors as the client wrote them: without the times at which they were added."""
    return "\n".join(line[: line.rindex("\t") + 1] for line in text.split("\n")) if text else ""


def notes_text(notes: Iterable[Note]) -> str:
    """Notes as text, oldest first; those without a time are the newest."""
    dated = sorted(notes, key=lambda note: (note.added_ms is None, note.added_ms or 0))
    return "\n".join(f"{json_text(n.message)}\t{'' if n.added_ms is None else n.added_ms}" for n in dated)


def notes(text: str) -> list[Note]:
    """Notes from their text."""
    rows = [line.split("\t") for line in text.split("\n")] if text else []
    return [Note(_decode(message), int(added) if added else None) for message, added in rows]


# ---- records -----------------------------------------------------------------------------------------------


class Record(msgspec.Struct, kw_only=True):
    """What all entities have: ``doc`` guards merges, ``rev`` makes the ETag, ``created`` orders listings."""

    id: str
    doc: int = 0
    rev: int = 0
    modified_at: int = 0
    created: int = 0

    @classmethod
    def parse(cls: type[R], flat: Mapping[str, Any]) -> R:
        """The record of a flat map; fields that it does not know are ignored."""
        return msgspec.convert(flat, cls, strict=False)


class PolicyRecord(Record, kw_only=True):
    """A classification, distribution or exception policy: its document is JSON without id and etag."""

    document: str = "{}"
    secret: str = ""


class QueueRecord(Record, kw_only=True):
    """A queue."""

    name: str = ""
    distribution: str = ""
    exception: str = ""
    labels: str = ""


class SubscriptionRecord(Record, kw_only=True):
    """A subscription to events: its document is that of ``engine.subscriptions``.

    ``cursor`` is the number of the last entry of the outbox that is done; what the deliveries have come to
    is told by the rest. Times in epoch ms, 0 = never.
    """

    document: str = "{}"
    secret: str = ""
    status: str = "validating"
    cursor: int = 0
    delivered: int = 0
    dead: int = 0
    parked: int = 0
    last_delivered_at: int = 0
    last_error: str = ""
    last_error_at: int = 0
    lagged_at: int = 0


class JobRecord(Record, kw_only=True):
    """A job, with its one assignment at most."""

    status: str = "created"
    channel: str = ""
    queue: str = ""
    classification: str = ""
    priority: int = 1
    reference: str = ""
    disposition: str = ""
    mode: str = "queueAndMatch"
    schedule_at: int = 0
    scheduled_at: int = 0
    labels: str = ""
    tags: str = ""
    notes: str = ""
    selectors: str = ""
    attached: str = ""
    created_at: int = 0
    enqueued_at: int | None = None
    assignment: str = ""
    worker: str = ""
    assigned_at: int = 0
    completed_at: int = 0
    closed_at: int = 0

    @property
    def finished(self) -> bool:
        """Whether nothing more happens to it, unless it is given a new life."""
        return self.status in ("closed", "cancelled")


class Offer(msgspec.Struct, frozen=True):
    """An open offer of a worker."""

    id: str
    cost: int
    offered_at: int
    expires_at: int
    queue: str
    channel: str
    job: str


class Assignment(msgspec.Struct, frozen=True):
    """An assignment that a worker holds."""

    id: str
    cost: int
    assigned_at: int
    channel: str
    job: str


class WorkerRecord(Record, kw_only=True):
    """A worker, with its open offers and its assignments, newest first."""

    state: str = "inactive"
    available: bool = False
    capacity: int = 0
    queues: str = ""
    channels: str = ""
    labels: str = ""
    tags: str = ""
    max_offers: int = 0
    used: int = 0
    offers: list[Offer] = []
    assignments: list[Assignment] = []

    @classmethod
    def parse(cls, flat: Mapping[str, Any]) -> WorkerRecord:
        """The record of a flat map; offers and assignments are fields whose names begin with o: and a:."""
        worker = msgspec.convert(flat, cls, strict=False)
        held = [(name, text) for name, text in flat.items() if name[1:2] == ":"]
        offers = [_offer(name[2:], text) for name, text in held if name[0] == "o"]
        assignments = [_assignment(name[2:], text) for name, text in held if name[0] == "a"]
        worker.offers = sorted(reversed(offers), key=lambda offer: -offer.offered_at)
        worker.assignments = sorted(reversed(assignments), key=lambda assignment: -assignment.assigned_at)
        return worker

    @property
    def load_ratio(self) -> float:
        """Used capacity over capacity."""
        return self.used / self.capacity if self.capacity else 0


def _sized(raw: bytes) -> tuple[str, bytes]:
    """The value at the front of a text that stands behind its length in bytes, and the rest."""
    length, _, rest = raw.partition(b":")
    size = int(length)
    return rest[:size].decode(), rest[size:]


def _offer(offer_id: str, text: str) -> Offer:
    cost, offered_at, expires_at, rest = text.encode().split(b" ", 3)
    queue, rest = _sized(rest)
    channel, rest = _sized(rest)
    return Offer(offer_id, int(cost), int(offered_at), int(expires_at), queue, channel, rest.decode())


def _assignment(assignment_id: str, text: str) -> Assignment:
    cost, assigned_at, rest = text.encode().split(b" ", 2)
    channel, rest = _sized(rest)
    return Assignment(assignment_id, int(cost), int(assigned_at), channel, rest.decode())
