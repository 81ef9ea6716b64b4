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
    found = [line for function, arguments, line in _searches(name) if not _is_safe(function, arguments)]
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


def _is_safe(function: str, arguments: list[Any]) -> bool:
    plain = function == "find" and len(arguments) == 3 and isinstance(arguments[2], lua.TrueExpr)
    return plain or string(arguments[0]) is not None
