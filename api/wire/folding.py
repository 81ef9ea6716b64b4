"""Folds what clients send to the contract's spelling: names of properties, words of kinds and enumerations.

Names are matched without regard to case, words also in their older kebab-case spelling; unknown properties
are left out, integral floats become integers where a number is wanted, and null members of objects inside
lists count as absent. Keys and values of labels and tags, and values that may be anything, are never touched.
The tables are made from the structs of the bodies, which are thus the only list of names.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Any

import msgspec
from msgspec import inspect

Fold = Callable[[Any], Any]

_FINER = re.compile(r"(\.[0-9]{6})[0-9]{1,3}")

# words of an early preview that are more than a kebab-case spelling
_FORMER_WORDS = {
    "staticrule": "static",
    "directmaprule": "directMap",
    "expressionrule": "expression",
    "azurefunctionrule": "function",
    "functionrule": "function",
    "webhookrule": "webhook",
}


def folder(body: type[msgspec.Struct]) -> Fold:
    """The function that folds a decoded object to what ``body`` calls its members."""
    fold = _of(inspect.type_info(body), in_list=False)
    assert fold is not None
    return fold


def words(of: Iterable[str]) -> Fold:
    """The function that folds one word to the spelling of a list; what it does not know stays as it is."""
    table = {_squash(word): word for word in of}
    table |= {former: word for former, word in _FORMER_WORDS.items() if word in table.values()}

    def fold(value: Any) -> Any:
        return table.get(_squash(value), value) if isinstance(value, str) else value

    return fold


def _squash(word: str) -> str:
    return word.lower().replace("-", "")


def _of(kind: inspect.Type, in_list: bool) -> Fold | None:
    if isinstance(kind, inspect.UnionType):
        return _of_union(kind, in_list)
    if isinstance(kind, inspect.StructType):
        return _object([kind], in_list)
    if isinstance(kind, inspect.ListType):
        return _list(_of(kind.item_type, in_list=True))
    if isinstance(kind, inspect.LiteralType):
        return words(str(value) for value in kind.values)
    if isinstance(kind, inspect.IntType):
        return _number
    return microseconds if isinstance(kind, inspect.DateTimeType) else None


def _of_union(union: inspect.UnionType, in_list: bool) -> Fold | None:
    structs = [kind for kind in union.types if isinstance(kind, inspect.StructType)]
    if structs:
        return _object(structs, in_list)
    numbers = all(isinstance(kind, inspect.IntType | inspect.FloatType) for kind in union.types)
    return _number if numbers else None


def microseconds(value: Any) -> Any:
    """A time's text without what is finer: rounded up, the last moment of all would be out of range."""
    return _FINER.sub(r"\1", value) if isinstance(value, str) else value


def _number(value: Any) -> Any:
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _list(item: Fold | None) -> Fold:
    def fold(value: Any) -> Any:
        return [item(member) for member in value] if item and isinstance(value, list) else value

    return fold


def _object(structs: list[inspect.StructType], in_list: bool) -> Fold:
    known: dict[str, tuple[str, Fold | None]] = {}
    for struct in structs:
        for field in struct.fields:
            known[field.encode_name] = (field.encode_name, _of(field.type, in_list))
    if structs[0].tag_field:
        known[structs[0].tag_field] = (structs[0].tag_field, words(str(struct.tag) for struct in structs))
    known |= {name.lower(): entry for name, entry in known.items()}

    def fold(value: Any) -> Any:
        if not isinstance(value, dict):
            return value
        folded = {}
        for name, member in value.items():
            entry = known.get(name) or known.get(name.lower())
            if entry is None or (in_list and member is None):
                continue
            folded[entry[0]] = entry[1](member) if entry[1] else member
        return folded

    return fold
