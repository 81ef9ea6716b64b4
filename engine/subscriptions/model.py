"""What a subscription asks for, and its secrets, as they are stored."""

from __future__ import annotations

import hashlib
from typing import Literal

import msgspec

from engine.event_filters import EventFilters

Schema = Literal["eventGrid", "cloudEventsStructured", "cloudEventsBinary"]
"""How events are told: as Event Grid does, or as CloudEvents 1.0 in either mode."""

MAX_ATTEMPTS = 30
MAX_MINUTES = 1_440
MAX_SIGNING = 2
"""Signing secrets that are live at a time: one, and another while it is rotated."""
NOW = -1
"""The start of a subscription that gets what happens from now on."""

_encode = msgspec.json.Encoder(order="deterministic").encode


class Subscription(msgspec.Struct, omit_defaults=True, kw_only=True):
    """A subscription as its owner describes it, but for its secrets.

    ``url`` is the endpoint's without query, which may hold a key; ``signing`` the number of signing secrets;
    ``after`` the entry of the outbox after which it begins (0 = the oldest kept, ``NOW``); an event is given
    up after ``attempts``, or ``minutes`` after it happened.
    """

    url: str
    schema: Schema = "eventGrid"
    name: str = ""
    filters: EventFilters = msgspec.field(default_factory=EventFilters)
    attempts: int = MAX_ATTEMPTS
    minutes: int = MAX_MINUTES
    signing: int = 0
    enabled: bool = True
    after: int = NOW

    @classmethod
    def parse(cls, text: str) -> Subscription:
        """A subscription from its text. Raises msgspec.DecodeError."""
        return msgspec.json.decode(text, type=cls)

    @property
    def text(self) -> str:
        """It as it is stored; equal ones are equal text."""
        return _encode(self).decode()


class Secrets(msgspec.Struct, omit_defaults=True):
    """The whole URL of a subscription's endpoint, and the secrets (``whsec_…``) that sign what it gets.

    ``request`` is the id of the request for which the newest of them was made, so that a repetition is known.
    """

    url: str
    signing: list[str] = []
    request: str = ""

    @classmethod
    def parse(cls, text: str) -> Secrets:
        """Secrets from their text. Raises msgspec.DecodeError."""
        return msgspec.json.decode(text, type=cls)

    @property
    def text(self) -> str:
        """They as they are stored."""
        return _encode(self).decode()

    def __repr__(self) -> str:
        return "Secrets(…)"


def target(schema: Schema, url: str) -> str:
    """What an endpoint has to agree to, as a hash: events at this URL, asked for by this handshake."""
    handshake = "event grid" if schema == "eventGrid" else "cloud events"
    return hashlib.sha256(f"{handshake}\0{url}".encode()).hexdigest()
