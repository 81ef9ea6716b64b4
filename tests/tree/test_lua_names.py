"""Every ``module.name`` in the Lua exists, and nothing is defined that nobody uses; luacheck sees neither."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from typing import Any

from luaparser import astnodes as lua

from tests.tree.sources import LUA_FILES, MODULES, dotted, lua_nodes

Name = tuple[str, str]


def _targets(name: str) -> Iterator[tuple[Name, Any]]:
    """What a file defines: functions of modules, and fields of modules that are assigned."""
    for node in lua_nodes(name):
        if isinstance(node, lua.Function):
            targets = [node.name]
        elif isinstance(node, lua.Assign):
            targets = node.targets
        else:
            continue
        for target in targets:
            found = dotted(target)
            if found and found[0] in MODULES:
                yield found, target


def _definitions() -> dict[Name, set[str]]:
    """Name → the files that define it."""
    found = defaultdict(set)
    for file in LUA_FILES:
        for name, _ in _targets(file):
            found[name].add(file)
    return found


def _uses() -> dict[Name, set[str]]:
    """Name → the places where it is read."""
    found = defaultdict(set)
    for file in LUA_FILES:
        written = {id(node) for _, node in _targets(file)}
        for node in lua_nodes(file):
            name = dotted(node)
            if name and name[0] in MODULES and id(node) not in written:
                found[name].add(f"{file}:{node.line}")
    return found


def test_every_name_is_defined() -> None:
    defined = _definitions()
    assert {".".join(name): places for name, places in _uses().items() if name not in defined} == {}


def test_every_definition_is_used() -> None:
    used = _uses()
    assert {".".join(name): files for name, files in _definitions().items() if name not in used} == {}


def test_a_function_stands_in_the_file_of_its_module() -> None:
    foreign = {
        ".".join(name): file
        for file in LUA_FILES
        for node in lua_nodes(file)
        if isinstance(node, lua.Function) and (name := dotted(node.name)) and file != f"{name[0]}.lua"
    }
    assert foreign == {}
