"""Reads decoded and folded JSON as a struct; what does not fit is a 400 that names the property."""

from __future__ import annotations

import re
from typing import Any, TypeVar

import msgspec

from api.errors import BadRequest
from api.wire.kinds import kind_is_required
from api.wire.places import allowed, either, named, number_range

T = TypeVar("T")

_KIND = "kind"
_PLACE = re.compile(r"^(?P<what>.*?)(?: - at (?P<where>.*))?$", re.DOTALL)
_MEMBER = re.compile(r"^`(?P<name>\w+)`: (?P<what>.*)$", re.DOTALL)
_MISSING = re.compile(r"^Object missing required field `(?P<name>.*)`$")
_URL_WANTED = "matching regex '^https?://'"
_OUT_OF_RANGE = re.compile(r"^Expected `(int|float)` [<>]")
_NO_SUCH_WORD = re.compile(r"^Invalid (enum )?value '")


def read(value: Any, kind: type[T]) -> T:
    """The value as a struct of this kind."""
    try:
        return msgspec.convert(value, kind)
    except msgspec.ValidationError as error:
        raise BadRequest(explain(str(error), value, kind)) from None


def explain(text: str, value: Any, kind: type[Any]) -> str:
    """The text of msgspec's error, in the words of the contract; the value could not be read as this kind."""
    found = _PLACE.match(text)
    assert found
    what, place = found["what"], (found["where"] or "").replace("`", "")
    where = named(place, value).replace("$.", "").replace("$", "")
    missing = _MISSING.match(what)
    if missing:
        path = _path(where, missing["name"])
        words = allowed(kind, f"{place}.{missing['name']}") if missing["name"] == _KIND else []
        return kind_is_required(path, words) if words else f"The property '{path}' is required."
    member = _MEMBER.match(what)
    if member:
        # what the struct itself has found wrong with one of its members, in a sentence
        return f"The property '{_path(where, member['name'])}' is not valid: {member['what']}"
    if _OUT_OF_RANGE.match(what) and (numbers := number_range(kind, place)):
        # the range of whole numbers alone is not that of all
        what = f"it must be {numbers}"
    what = what.replace("`", "")
    if what.endswith(_URL_WANTED):
        what = "it must be a URL that begins with http:// or https://"
    if _NO_SUCH_WORD.match(what):
        words = allowed(kind, place)
        what += f": it must be {either(words)}" if words else ""
    what = what[:1].lower() + what[1:]
    return f"The property '{where}' is not valid: {what}." if where else f"The body is not valid: {what}."


def _path(where: str, name: str) -> str:
    return f"{where}.{name}" if where else name
