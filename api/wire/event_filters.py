"""Filters of events as query parameters: ``?eventType=…&workerId=…&subjectBeginsWith=…``

Several values of one parameter stand with commas between them, or the parameter is repeated; a comma that
belongs to an id is written ``%2C``. Names are compared without regard to upper and lower case.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from urllib.parse import unquote_to_bytes

from api.errors import BadRequest
from api.wire import queries
from api.wire.values import MAX_ID
from engine.event_filters import EventFilters, type_of

MAX_VALUES = 100
"""Values of one filter."""
MAX_SUBJECT = 1024

_IDS = {"queueId": "queues", "channelId": "channels", "workerId": "workers", "jobId": "jobs"}
_TEXTS = {"subjectBeginsWith": "subject_begins", "subjectEndsWith": "subject_ends"}
_TYPES = {"eventType": "types"}
_KNOWN = {name.lower(): name for name in (*_TYPES, *_IDS, *_TEXTS)}
_FIELDS = {**_TYPES, **_IDS, **_TEXTS}


def filters(raw_query: bytes, others: Collection[str]) -> EventFilters:
    """The filters of a raw query, in which ``others`` (lower case) may stand besides.

    A parameter that is none of these is refused: a filter that is misspelt must not let everything pass.
    """
    given: dict[str, list[str]] = {}
    for part in filter(None, raw_query.split(b"&")):
        raw_name, _, raw = part.partition(b"=")
        written = _text(raw_name)
        name = written.lower()
        spelled = _KNOWN.get(name)
        if spelled is None:
            if name in others or name == queries.VERSION:
                continue
            known = ", ".join([*_FIELDS, *others])
            raise BadRequest(f"The query parameter '{written}' is not known here; known are {known}.")
        values = [raw] if spelled in _TEXTS else raw.split(b",")
        given.setdefault(spelled, []).extend(map(_text, values))
    fields = {_FIELDS[name]: _value(name, values) for name, values in given.items()}
    return EventFilters(**fields)  # type: ignore[arg-type]


def _value(name: str, values: list[str]) -> frozenset[str] | str:
    if name in _TEXTS:
        if len(values) > 1 or len(values[0]) > MAX_SUBJECT:
            raise _wrong(name, f"it is one text of at most {MAX_SUBJECT} characters")
        return values[0]
    if len(values) > MAX_VALUES:
        raise _wrong(name, f"it has at most {MAX_VALUES} values")
    return frozenset(_checked(name, value, type_of if name in _TYPES else _id) for value in values)


def _checked(name: str, value: str, read: Callable[[str], str]) -> str:
    try:
        return read(value)
    except ValueError as error:
        raise _wrong(name, str(error)) from None


def _id(text: str) -> str:
    if not 1 <= len(text) <= MAX_ID or "\0" in text:
        raise ValueError(f"an id has 1 to {MAX_ID} characters, and none of them is NUL")
    return text


def _text(raw: bytes) -> str:
    try:
        return unquote_to_bytes(raw.replace(b"+", b" ")).decode()
    except UnicodeDecodeError:
        raise BadRequest("The query is not well-formed.") from None


def _wrong(name: str, why: str) -> BadRequest:
    return BadRequest(f"The query parameter '{name}' is not valid: {why}.")
