"""Nothing of a user's is ever run as Lua or taken for a pattern."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from luaparser import astnodes as lua

from tests.tree.sources import LUA_FILES, calls, lua_nodes, string

FORBIDDEN = {"load", "loadstring", "loadfile", "dofile", "require", "setfenv", "getfenv", "collectgarbage"}
WITH_PATTERN = {"find", "match", "gmatch", "gsub"}


@pytest.mark.parametrize("name", LUA_FILES)
def test_no_text_becomes_code(name: str) -> None:
    called = (
        node for node in lua_nodes(name) if isinstance(node, lua.Call) and isinstance(node.func, lua.Name)
    )
    assert [node.line for node in called if node.func.id in FORBIDDEN] == []


@pytest.mark.parametrize("name", LUA_FILES)
def test_patterns_are_literals(name: str) -> None:
    constants = _constants(name)
    found = [
        line for function, arguments, line in _searches(name) if not _is_safe(function, arguments, constants)
    ]
    assert found == [], (
        "string.find with a text of its own needs the plain flag, other functions a literal pattern"
    )


def _searches(name: str) -> Iterator[tuple[str, list[Any], int]]:
    """Function, pattern with what follows it, and line of each search in a string."""
    for (module, function), node in calls(name):
        if module == "string" and function in WITH_PATTERN:
            yield function, node.args[1:], node.line
    for node in lua_nodes(name):
        if isinstance(node, lua.Invoke) and node.func.id in WITH_PATTERN:
            yield node.func.id, node.args, node.line


def _constants(name: str) -> set[str]:
    """Names of a file's constants that are string literals."""
    return {
        node.targets[0].id
        for node in lua_nodes(name)
        if isinstance(node, lua.LocalAssign)
        and node.targets[0].id.isupper()
        and string(node.values[0]) is not None
    }


def _is_safe(function: str, arguments: list[Any], constants: set[str]) -> bool:
    pattern, *rest = arguments
    if function == "find" and len(rest) == 2 and isinstance(rest[1], lua.TrueExpr):
        return True
    return string(pattern) is not None or (isinstance(pattern, lua.Name) and pattern.id in constants)
