"""One operation of the Lua library as its file shows it: header, registration, sections."""

from __future__ import annotations

import functools
import re
from typing import Any, NamedTuple

from luaparser import astnodes as lua

from tests.tree.sources import calls, dotted, lua_nodes, lua_text, string

LABELS = ("KEYS", "Replies", "Refuses", "Events")
_LABEL = re.compile(r"^--- ([A-Z]\w+): (.*)$")


class Operation(NamedTuple):
    """``specification`` is None when it is made by a computation."""

    function: str
    write: bool
    creates: bool
    specification: dict[str, Any] | None


REQUIRED_TEXT = object()
REQUIRED_NUMBER = object()


@functools.cache
def registrations(name: str) -> tuple[Operation, ...]:
    """All operations that ops/<name>.lua registers."""
    return tuple(
        _operation(node, kind == "write")
        for (module, kind), node in calls(f"ops/{name}.lua")
        if module == "op" and kind in ("write", "read")
    )


def _operation(node: Any, write: bool) -> Operation:
    function, table, *rest = node.args
    creates = len(rest) > 1 and isinstance(rest[1], lua.TrueExpr)
    if isinstance(table, lua.Call):
        table = _returned(dotted(table.func) or ("", ""))
    specification = None
    if isinstance(table, lua.Table):
        specification = {field.key.id: _default(field.value) for field in table.fields}
    return Operation(string(function) or "", write, creates, specification)


def _returned(name: tuple[str, str]) -> Any:
    """The table that a module's function returns, where operations share their control fields."""
    for node in lua_nodes(f"{name[0]}.lua"):
        if isinstance(node, lua.Function) and dotted(node.name) == name:
            return node.body.body[-1].values[0]
    raise AssertionError(f"{name} is not there")


def _default(node: Any) -> Any:
    match node:
        case lua.String():
            return string(node)
        case lua.Number():
            return node.n
        case lua.UMinusOp():
            return -node.operand.n
        case lua.TrueExpr() | lua.FalseExpr():
            return isinstance(node, lua.TrueExpr)
        case lua.Table():
            return []
    return {("op", "TEXT"): REQUIRED_TEXT, ("op", "NUMBER"): REQUIRED_NUMBER}[dotted(node) or ("", "")]


def header(name: str) -> dict[str, str]:
    """The comment at the top of a file by its labels; what the operation does stands under ""."""
    parts: dict[str, str] = {}
    label = ""
    for line in lua_text(f"ops/{name}.lua").splitlines():
        if not line.startswith("---"):
            break
        if match := _LABEL.match(line):
            label, line = match[1], f"--- {match[2]}"
        parts[label] = f"{parts.get(label, '')} {line[3:].strip()}".strip()
    return parts


def arguments(name: str) -> list[str]:
    """The documents that the header lists behind the control object, by their first words."""
    _, _, text = header(name)["KEYS"].partition("ARGS: ")
    outside = re.sub(r"\{.*?\}", "", text)
    return re.findall(r"(?:^|, )[3-9] (\w+)", outside)


def sections(name: str) -> list[tuple[str, str]]:
    """The parts of an operation's body: section and text, in order."""
    text = lua_text(f"ops/{name}.lua")
    shared = re.search(r"^op\.write\(.*, (\w+_changes)\.apply, true\)$", text, re.MULTILINE)
    if shared:
        text = lua_text(f"{shared[1]}.lua")
    parts = re.split(r"^ *-- (read|check|write)$", text, flags=re.MULTILINE)
    return list(zip(parts[1::2], parts[2::2], strict=True))
