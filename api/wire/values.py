"""Types and texts that many bodies share: ids, labels, numbers, times, selectors, ETags."""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from email.utils import formatdate, mktime_tz, parsedate_tz
from functools import lru_cache
from hashlib import blake2b
from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from api.errors import BadRequest
from engine import model

MAX_ID = 256
MAX_ENTRIES = 100
MAX_QUEUES = 1000
MAX_INT = 2**31 - 1
MAX_SECONDS = 10**9
MAX_TEXT = 1024
"""Characters of a label's value, and of a selector's: of its JSON where it is no text."""

MAX_SHOWN = 40
"""Characters of a label's key that an error repeats."""

Id = Annotated[str, Meta(min_length=1, max_length=MAX_ID)]
Reference = Annotated[str, Meta(max_length=MAX_ID)]
Text = Annotated[str, Meta(max_length=MAX_TEXT)]
Uri = Annotated[str, Meta(pattern="^https?://", max_length=2048)]
Key = Annotated[str, Meta(min_length=1, max_length=256)]
Priority = Annotated[int, Meta(ge=-100, le=100)]
Count = Annotated[int, Meta(ge=1, le=MAX_INT)]
Amount = Annotated[int, Meta(ge=0, le=MAX_INT)]
Seconds = Annotated[int, Meta(gt=0, le=MAX_SECONDS)] | Annotated[float, Meta(gt=0, le=MAX_SECONDS)]
Labels = Annotated[dict[Key, Text | int | float | bool], Meta(max_length=MAX_ENTRIES)]
Moment = Annotated[datetime.datetime, Meta(tz=True)]
LabelOperator = Literal[
    "equal", "notEqual", "lessThan", "lessThanOrEqual", "greaterThan", "greaterThanOrEqual"
]

ID_LABEL = "Id"

_SIGNS: dict[LabelOperator, str] = {
    "equal": "=",
    "notEqual": "!=",
    "lessThan": "<",
    "lessThanOrEqual": "<=",
    "greaterThan": ">",
    "greaterThanOrEqual": ">=",
}
_OPERATORS = {sign: word for word, sign in _SIGNS.items()}
_LARGEST = 2**1023
_EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)
_MILLISECOND = datetime.timedelta(milliseconds=1)
_LARGEST_ZONE = 24 * 3600
_LATEST = datetime.datetime.max.replace(tzinfo=datetime.UTC)


def checked_id(text: str) -> str:
    """An id that is given beside a body. Raises BadRequest."""
    if "\0" in text or not 1 <= len(text) <= MAX_ID:
        raise BadRequest(f"An id has 1 to {MAX_ID} characters, and none of them is NUL.")
    return text


encode = msgspec.json.Encoder(order="deterministic").encode


# ---- labels and other values -------------------------------------------------------------------------------


def labels_text(labels: Mapping[str, model.Scalar], name: str) -> str:
    """Labels or tags as they are stored; ``name`` is the property, for the text of an error."""
    for key, value in labels.items():
        if type(value) is int and not -_LARGEST < value < _LARGEST:
            raise BadRequest(f"The property '{entry(name, key)}' is not valid: the number is too large.")
    return model.members_text(labels)


def entry(name: str, key: str) -> str:
    """One label or tag of a property, as errors name it; a long key is cut."""
    shown = key if len(key) <= MAX_SHOWN else f"{key[:MAX_SHOWN]}…"
    return f'{name}["{shown}"]'


def without_id(labels: dict[str, model.Scalar]) -> dict[str, model.Scalar]:
    """Labels of a queue or worker without the automatic one, which clients cannot set."""
    labels.pop(ID_LABEL, None)
    return labels


def labels_with_id(entity_id: str, text: str) -> msgspec.Raw:
    """Stored labels as JSON object, with the automatic label."""
    own = b'{"%b":%b' % (ID_LABEL.encode(), encode(entity_id))
    return msgspec.Raw(own + (b"," + text.replace("\n", "").encode() if text else b"") + b"}")


def labels_raw(text: str) -> msgspec.Raw:
    """Stored labels or tags as JSON object."""
    return msgspec.Raw(model.members_object(text))


def check_value(value: Any) -> None:
    """Refuses a number, at any depth, that no client could read back."""
    if type(value) is int and not -_LARGEST < value < _LARGEST:
        raise BadRequest("A number in the body is too large.")
    if isinstance(value, dict):
        value = value.values()
    elif not isinstance(value, list):
        return
    for item in value:
        check_value(item)


# ---- times -------------------------------------------------------------------------------------------------


def milliseconds(moment: datetime.datetime | UnsetType) -> int:
    """Epoch milliseconds; 0 when there is none, or it is of the year 1, by which some clients say "none".

    What lies beyond the year 9999 in UTC, as a client's latest time in a zone behind it, is the end of 9999.
    """
    if moment is UNSET or moment.year == 1:
        return 0
    return max(1, (min(moment, _LATEST) - _EPOCH) // _MILLISECOND)


def timestamp(ms: int) -> str:
    """Epoch milliseconds as text, without trailing zeros."""
    seconds, rest = divmod(ms, 1000)
    fraction = f".{rest:03d}".rstrip("0") if rest else ""
    return f"{_second(seconds)}{fraction}+00:00"


def timestamp_or_none(ms: int | None) -> str | UnsetType:
    """The same, left out when there is none."""
    return timestamp(ms) if ms else UNSET


@lru_cache(4096)
def _second(seconds: int) -> str:
    return (_EPOCH + datetime.timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%S")


@lru_cache(4096)
def http_date(seconds: int) -> str:
    """Epoch seconds as HTTP headers show them."""
    return formatdate(seconds, usegmt=True)


@lru_cache(256)
def http_epoch(date: bytes) -> int | None:
    """A header's date in epoch seconds, None if it is none; clients of one second send the same."""
    parsed = parsedate_tz(date.decode("latin-1"))
    # a zone may have any number of digits
    if not parsed or parsed[9] is None or abs(parsed[9]) > _LARGEST_ZONE:
        return None
    try:
        return mktime_tz(parsed)
    except (ValueError, OverflowError):
        return None


# ---- entities ----------------------------------------------------------------------------------------------


def etag(kind: str, record: model.Record) -> str:
    """The ETag, with its quotes: the revision, and a hash of what the entity is and of its creation."""
    mark = blake2b(f"{kind}\0{record.id}\0{record.created}".encode(), digest_size=8).hexdigest()
    return f'"{record.rev:08x}-0000-0000-{mark[:4]}-{mark[4:]}"'


def optional(text: str) -> str | UnsetType:
    """A text, left out when it is empty."""
    return text or UNSET


def number(value: float) -> int | float:
    """A number as the contract writes it: whole ones without a fraction."""
    return int(value) if value == int(value) else value


# ---- worker selectors of jobs ------------------------------------------------------------------------------


def stored_selector(
    key: str, label_operator: LabelOperator, value: Any, seconds: float | UnsetType, expedite: bool
) -> model.Selector:
    """A worker selector as it is stored; its value must have been checked. Refuses one that is too long."""
    text = "" if value is UNSET else encode(value).decode()
    if len(value if isinstance(value, str) else text) > MAX_TEXT:
        shown = key if len(key) <= MAX_SHOWN else f"{key[:MAX_SHOWN]}…"
        raise BadRequest(
            f"The value of the selector '{shown}' is not valid: it has more than {MAX_TEXT} characters."
        )
    return model.Selector(
        key,
        _SIGNS[label_operator],
        text,
        "" if seconds is UNSET else str(seconds),
        expedite,
    )


def operator_word(sign: str) -> LabelOperator:
    """The word of a stored operator."""
    return _OPERATORS[sign]


class WorkerSelector(msgspec.Struct, rename="camel"):
    """A worker selector as a client sends it."""

    key: Key
    label_operator: LabelOperator
    value: Any = UNSET
    expires_after_seconds: Seconds | UnsetType = UNSET
    expedite: bool = False

    def stored(self) -> model.Selector:
        """As it is stored."""
        check_value(self.value)
        return stored_selector(
            self.key, self.label_operator, self.value, self.expires_after_seconds, self.expedite
        )

    @classmethod
    def of(cls, stored: model.Selector) -> WorkerSelector:
        """As a client would send what is stored."""
        return cls(
            stored.key,
            _OPERATORS[stored.operator],
            msgspec.json.decode(stored.value) if stored.value else UNSET,
            msgspec.json.decode(stored.seconds) if stored.seconds else UNSET,
            stored.expedite,
        )


class WorkerSelectorView(msgspec.Struct, rename="camel"):
    """A worker selector as clients see it."""

    expires_after_seconds: msgspec.Raw | UnsetType
    expedite: bool
    status: Literal["active", "expired"]
    key: str
    label_operator: LabelOperator
    value: msgspec.Raw | UnsetType
    expires_at: str | UnsetType

    @classmethod
    def of(cls, stored: model.Selector, enqueued_at: int | None, now_ms: int) -> WorkerSelectorView:
        """How it stands at a time."""
        expires_at = stored.expires_at(enqueued_at)
        return cls(
            msgspec.Raw(stored.seconds.encode()) if stored.seconds else UNSET,
            stored.expedite,
            "expired" if expires_at is not None and expires_at <= now_ms else "active",
            stored.key,
            _OPERATORS[stored.operator],
            msgspec.Raw(stored.value.encode()) if stored.value else UNSET,
            UNSET if expires_at is None else timestamp(expires_at),
        )
