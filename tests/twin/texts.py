"""Small texts: documents one member a line, JSON scalars with their type, GUIDs, times."""

from __future__ import annotations

import datetime
import hashlib
import json

Scalar = tuple[str, float | str | bool]
"""A comparable JSON value: its type first, so that true never equals 1."""


def scalar(text: str) -> Scalar | None:
    """The value of one JSON text; None for null, absent and what cannot be compared (objects, lists)."""
    if text == "":
        return None
    value = json.loads(text)
    if isinstance(value, bool):
        return ("bool", value)
    if isinstance(value, int | float):
        return ("number", float(value))
    if isinstance(value, str):
        return ("string", value)
    return None


def members(document: str) -> dict[str, str]:
    """The members of a labels or tags document: key (as JSON text) to value (as JSON text)."""
    found = {}
    for line in document.split(",\n") if document else []:
        key, end = json.JSONDecoder().raw_decode(line)
        del key
        found[line[:end]] = line[end + 1 :]
    return found


def scalars(document: str) -> dict[str, Scalar | None]:
    """The members of a document with comparable values; the keys stay JSON texts."""
    return {key: scalar(value) for key, value in members(document).items()}


def as_object(document: str, entity_id: str | None = None) -> dict[str, object]:
    """A document as a JSON object; an id is shown as the automatic label Id."""
    shown = {json.loads(key): json.loads(value) for key, value in members(document).items()}
    if entity_id is not None:
        shown["Id"] = entity_id
    return shown


def lines(text: str) -> list[str]:
    """The lines of a text; the empty text has none."""
    return text.split("\n") if text else []


def sized(text: str) -> str:
    """A text with its length in bytes in front: 5:sales."""
    return f"{len(text.encode())}:{text}"


def guid(name: str, number: int, k: int) -> str:
    """The GUID of the k-th thing of a kind that an op number makes; the name is that of tenant and kind."""
    h = hashlib.sha1(name.encode()).hexdigest()
    return f"{h[:8]}-{k:04x}-4{h[8:11]}-8{h[11:14]}-{number:012x}"


def iso(ms: int) -> str:
    """Epoch milliseconds as events show them."""
    moment = datetime.datetime(1970, 1, 1) + datetime.timedelta(milliseconds=ms)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{ms % 1000:03d}Z"
