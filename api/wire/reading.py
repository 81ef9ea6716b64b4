"""Reads decoded and folded JSON as a struct; what does not fit is a 400 that names the property."""

from __future__ import annotations

import re
from typing import Any, TypeVar

import msgspec

from api.errors import BadRequest

T = TypeVar("T")

_PLACE = re.compile(r"^(?P<what>.*?)(?: - at (?P<where>.*))?$", re.DOTALL)
_MEMBER = re.compile(r"^`(?P<name>\w+)`: (?P<what>.*)$", re.DOTALL)
_MISSING = re.compile(r"^Object missing required field `(?P<name>.*)`$")


def read(value: Any, kind: type[T]) -> T:
    """The value as a struct of this kind."""
    try:
        return msgspec.convert(value, kind)
    except msgspec.ValidationError as error:
        raise BadRequest(explain(str(error))) from None


def explain(text: str) -> str:
    """The text of msgspec's error in the words of the contract."""
    found = _PLACE.match(text)
    assert found
    what, where = found["what"], (found["where"] or "").replace("`", "").replace("$.", "").replace("$", "")
    missing = _MISSING.match(what)
    if missing:
        return f"The property '{_path(where, missing['name'])}' is required."
    member = _MEMBER.match(what)
    if member:
        # what the struct itself has found wrong with one of its members, in a sentence
        return f"The property '{_path(where, member['name'])}' is not valid: {member['what']}"
    what = what.replace("`", "")
    what = what[:1].lower() + what[1:]
    return f"The property '{where}' is not valid: {what}." if where else f"The body is not valid: {what}."


def _path(where: str, name: str) -> str:
    return f"{where}.{name}" if where else name
