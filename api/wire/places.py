"""Places in a body, as errors name them (``$.labels[...]``): what may stand there, and what does."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any

import msgspec
from msgspec import inspect

from api.wire.values import Labels, entry

_STEP = re.compile(r"\.(\w+)|\[(\d+|\.\.\.)\]")
_ANY_ENTRY = "[...]"


def structs(kind: inspect.Type) -> list[inspect.StructType]:
    """The objects that a type allows."""
    return [kind for kind in _types(kind) if isinstance(kind, inspect.StructType)]


def _types(kind: inspect.Type | None) -> tuple[inspect.Type | None, ...]:
    return kind.types if isinstance(kind, inspect.UnionType) else (kind,)


def kinds(kind: inspect.Type) -> list[str]:
    """The words that name which of a type's objects one is; none where that needs no telling."""
    return [str(struct.tag) for struct in structs(kind) if struct.tag_field]


def _type_at(body: type[Any], place: str) -> inspect.Type | None:
    found: inspect.Type | None = inspect.type_info(body)
    for name, index in _STEP.findall(place):
        if found is not None:
            found = _inner(found) if index else _member(found, name)
    return found


def number_range(body: type[Any], place: str) -> str:
    """The range of the numbers, whole or not, that may stand at a place; empty where it is no such place."""
    found = _type_at(body, place)
    fractions = [kind for kind in _types(found) if isinstance(kind, inspect.FloatType)]
    if not fractions or not any(isinstance(kind, inspect.IntType) for kind in _types(found)):
        return ""
    kind = fractions[0]
    least = f"above {kind.gt:g}" if kind.gt is not None else f"from {kind.ge:g}"
    return f"a number {least}, and at most {kind.le:.0f}"


def allowed(body: type[Any], place: str) -> list[str]:
    """The words of an enumeration, or of the kinds, that may stand at a place; none where it is neither."""
    found = _type_at(body, place)
    if isinstance(found, inspect.LiteralType):
        return [str(word) for word in found.values]
    return kinds(found) if found is not None else []


def _member(kind: inspect.Type, name: str) -> inspect.Type | None:
    for struct in structs(kind):
        if name == struct.tag_field:
            return kind
        for field in struct.fields:
            if field.encode_name == name:
                return field.type
    return None


def _inner(kind: inspect.Type) -> inspect.Type | None:
    return kind.item_type if isinstance(kind, inspect.ListType) else None


def named(place: str, value: Any) -> str:
    """The place with the name of the label or tag that is wrong, where it says only that one is."""
    before, any_entry, _ = place.partition(_ANY_ENTRY)
    if not any_entry:
        return place
    for name, index in _STEP.findall(before):
        value = value[int(index)] if index else value[name]
    return next((entry(before, name) for name in _misfits(value)), place)


def _misfits(labels: dict[str, Any]) -> Iterator[str]:
    for name, value in labels.items():
        try:
            msgspec.convert({name: value}, Labels)
        except msgspec.ValidationError:
            yield name


def either(words: Iterable[str]) -> str:
    """Words as a sentence lists them."""
    *others, last = [f"'{word}'" for word in words]
    return f"{', '.join(others)} or {last}" if others else last
