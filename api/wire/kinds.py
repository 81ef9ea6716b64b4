"""Objects that must name their kind, as modes, rules and attachments do."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import msgspec
from msgspec import inspect

from api.errors import BadRequest
from api.wire.folding import Fold, folder
from api.wire.places import either, kinds, structs

_LEFT_OUT = {
    "queueAndMatch": "QueueAndMatchMode()",
    "suspend": "SuspendMode()",
    "directMap": "DirectMapRouterRule()",
}
"""What version 1.1.0b1 of the Python client sends as an empty object, by the kind that it should name."""


def kind_is_required(place: str, words: Sequence[str]) -> str:
    """The text for an object that does not name its kind; ``place`` is the property that it should have."""
    text = f"The property '{place}' is required: {either(words)}."
    silent = [word for word in words if word in _LEFT_OUT]
    if silent:
        models = " and ".join(_LEFT_OUT[word] for word in silent)
        objects = " or ".join(f'{{"kind": "{word}"}}' for word in silent)
        text += f" Version 1.1.0b1 of the Python client leaves it out of {models}: give {objects} instead."
    return text


def patch_folder(body: type[msgspec.Struct]) -> Fold:
    """Folds merge patches like ``folder``, and refuses objects without members where a kind is wanted.

    A merge would take them for what is stored already, a client means an object of some kind: either would
    be a guess.
    """
    fold = folder(body)
    places = dict(_merged(inspect.type_info(body)))

    def fold_patch(value: Any) -> Any:
        patch = fold(value)
        for path, words in places.items():
            found = patch
            for name in path:
                found = found.get(name) if isinstance(found, dict) else None
            if found == {}:
                raise BadRequest(kind_is_required(".".join((*path, "kind")), words))
        return patch

    return fold_patch


def _merged(kind: inspect.Type, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], list[str]]]:
    """Where a merge goes on inside an object that names its kind, with the kinds; it never does in a list."""
    for struct in structs(kind):
        for field in struct.fields:
            inside = (*path, field.encode_name)
            words = kinds(field.type)
            if words:
                yield inside, words
            yield from _merged(field.type, inside)
