"""JSON schemas of what is sent and shown, out of the structs that read and write it."""

from __future__ import annotations

import typing
from collections.abc import Iterable, Iterator
from typing import Any

import msgspec
from msgspec import UnsetType, inspect

from api.wire.values import Labels

Schema = dict[str, Any]

REF = "#/components/schemas/"

_ANY_ENTRY = ("labels", "tags")
_LEFT_OFF = "View"


class Shapes:
    """The schemas of some structs and of all inside them, each under a name of its own."""

    def __init__(self, kinds: Iterable[type[msgspec.Struct]]) -> None:
        roots = list(dict.fromkeys(kinds))
        self._names = _names(dict.fromkeys(inner for root in roots for inner in _inside(root)))
        self.components: dict[str, Schema] = {}
        for root in roots:
            self._add(root)

    def ref(self, kind: type[msgspec.Struct]) -> Schema:
        """A reference to the schema of a struct."""
        return {"$ref": REF + self._names[kind]}

    def patch(self, kind: type[msgspec.Struct]) -> Schema:
        """A reference to what a merge patch of a struct may hold: every member, none required."""
        name = self._names[kind].removesuffix("Body") + "Patch"
        if name not in self.components:
            whole = self.components[self._names[kind]]
            patch = {key: value for key, value in whole.items() if key != "required"}
            patch["properties"] = {
                member: {"anyOf": [schema, {"type": "null"}]}
                for member, schema in whole["properties"].items()
            }
            required = ", ".join(f"`{member}`" for member in whole.get("required", ()))
            text = (
                f"{whole.get('description', '')} A merge patch: `null` brings a member back to its default."
            )
            if required:
                text += f" To create one, {required} must be there."
            self.components[name] = {**patch, "description": text.strip()}
        return {"$ref": REF + name}

    def _add(self, root: type[msgspec.Struct]) -> None:
        """The schemas of one root, whose structs have names that do not clash."""
        by_name = {kind.__name__: kind for kind in _inside(root)}
        _, components = msgspec.json.schema_components([root], ref_template=REF + "{name}")
        renamed = {name: self._names[kind] for name, kind in by_name.items()}
        for name, schema in components.items():
            self.components[renamed[name]] = _finished(_renamed(schema, renamed), by_name[name])


def _inside(root: type[msgspec.Struct]) -> list[type[msgspec.Struct]]:
    """A struct and all that may stand in it."""
    found: list[type[msgspec.Struct]] = []

    def look(kind: Any) -> None:
        if isinstance(kind, inspect.StructType):
            if kind.cls in found:
                return
            found.append(kind.cls)
            for field in kind.fields:
                look(field.type)
        elif isinstance(kind, inspect.UnionType):
            for one in kind.types:
                look(one)
        elif isinstance(kind, inspect.DictType):
            look(kind.value_type)
        elif isinstance(kind, inspect.CollectionType):
            look(kind.item_type)

    look(inspect.type_info(root))
    return found


def _names(kinds: Iterable[type[msgspec.Struct]]) -> dict[type[msgspec.Struct], str]:
    """A name for each struct: its own without marks, or with that of its module where another has it."""
    names: dict[type[msgspec.Struct], str] = {}
    for kind in kinds:
        own = kind.__name__.lstrip("_")
        short = own.removesuffix(_LEFT_OFF)
        module = "".join(word.title() for word in kind.__module__.rpartition(".")[2].split("_"))
        taken = set(names.values())
        names[kind] = next(name for name in (short, own, module + short, module + own) if name not in taken)
    return names


def _renamed(schema: Any, names: dict[str, str]) -> Any:
    """A schema that refers to others by their new names."""
    if isinstance(schema, dict):
        return {key: _renamed(value, names) for key, value in schema.items()}
    if isinstance(schema, list | tuple):
        return [_renamed(value, names) for value in schema]
    if isinstance(schema, str) and schema.startswith(REF):
        return REF + names[schema.removeprefix(REF)]
    return schema


def _finished(schema: Schema, kind: type[msgspec.Struct]) -> Schema:
    """What a struct alone does not tell: members that may be left out, times, labels."""
    optional = set(_left_out(kind))
    required = [name for name in schema.get("required", ()) if name not in optional]
    rest = {key: value for key, value in schema.items() if key not in ("required", "title")}
    properties = {name: _member(name, member) for name, member in rest.get("properties", {}).items()}
    return (
        rest
        | ({"properties": properties} if properties else {})
        | ({"required": required} if required else {})
    )


def _left_out(kind: type[msgspec.Struct]) -> Iterator[str]:
    hints = typing.get_type_hints(kind)
    for field in msgspec.structs.fields(kind):
        if UnsetType in typing.get_args(hints[field.name]):
            yield field.encode_name


def _member(name: str, schema: Schema) -> Schema:
    if name in _ANY_ENTRY and not schema:
        labels: Schema = msgspec.json.schema(Labels)
        return {"type": "object", "additionalProperties": labels["additionalProperties"]}
    if name.endswith(("At", "time")) and schema == {"type": "string"}:
        return {**schema, "format": "date-time"}
    return schema
