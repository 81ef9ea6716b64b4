"""Redis does not roll back: nothing that an operation calls after its first write may refuse."""

from __future__ import annotations

import functools
from collections import defaultdict
from collections.abc import Iterator
from typing import Any

import pytest
from luaparser import ast as lua_ast
from luaparser import astnodes as lua

from tests.tree.sources import LUA_FILES, OPERATIONS, dotted, lua_nodes, lua_text

Function = tuple[str, str]
"""Module and name, or file and name of a local function."""

# What is parsed after the first write is stored already or was checked before: it is never malformed.
PARSERS = {("selectors.lua", "parse")}


def _target(file: str, call: Any) -> Function | None:
    return (file, call.func.id) if isinstance(call.func, lua.Name) else dotted(call.func)


def _called(file: str, body: Any) -> Iterator[Function]:
    for node in lua_ast.walk(body):
        if isinstance(node, lua.Call) and (target := _target(file, node)):
            yield target


@functools.cache
def _refusing() -> frozenset[Function]:
    """The functions that may refuse, by themselves or through others."""
    graph: dict[Function, set[Function]] = defaultdict(set)
    for file in LUA_FILES:
        for node in lua_nodes(file):
            if isinstance(node, lua.LocalFunction):
                graph[file, node.name.id].update(_called(file, node.body))
            elif isinstance(node, lua.Function) and (name := dotted(node.name)):
                graph[name].update(_called(file, node.body))
    found = {function for function in graph if function[0] == "refuse"}
    while more := {f for f, called in graph.items() if f not in found | PARSERS and called & found}:
        found |= more
    return frozenset(found)


@pytest.mark.parametrize("name", OPERATIONS)
def test_nothing_refuses_after_the_first_write(name: str) -> None:
    file = f"ops/{name}.lua"
    before, marker, _ = lua_text(file).partition("\n  -- write\n")
    first = before.count("\n") + 2 if marker else 10**9
    calls = (node for node in lua_nodes(file) if isinstance(node, lua.Call) and (node.line or 0) >= first)
    late = {(target, node.line) for node in calls if (target := _target(file, node)) in _refusing()}
    assert late == set()


def test_the_analysis_sees_through_modules() -> None:
    assert ("jobs", "need") in _refusing()
    assert ("jobs", "load") not in _refusing()
