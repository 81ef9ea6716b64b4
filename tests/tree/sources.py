"""The source files and their syntax trees, read once."""

from __future__ import annotations

import ast
import functools
import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from luaparser import ast as lua_ast
from luaparser import astnodes as lua

ROOT = Path(__file__).resolve().parents[2]
LUA = ROOT / "lua"
OPERATIONS = sorted(path.stem for path in (LUA / "ops").glob("*.lua"))
_LUA_PATHS = {
    f"ops/{path.name}" if path.parent.name == "ops" else path.name: path for path in LUA.rglob("*.lua")
}
LUA_FILES = sorted(_LUA_PATHS)
"""Modules by their names alone, wherever they stand; operations as ``ops/<name>.lua``."""
MODULES = {path.stem: path.parent.name for path in LUA.rglob("*.lua") if path.parent.name != "ops"}
"""Each module and its folder."""
PAYLOADS = {"job_events.lua", "offer_events.lua", "outbox.lua", "payloads.lua", "worker_events.lua"}
"""The modules that make payloads of events, and so know wire names."""


@functools.cache
def lua_text(name: str) -> str:
    """A Lua file, by its name as in LUA_FILES."""
    return _LUA_PATHS[name].read_text()


@functools.cache
def event_types() -> frozenset[str]:
    """The types of events that the library makes, without their prefix."""
    named = {
        name for file in PAYLOADS for name in re.findall(r'"(Router(?:Job|Worker)[A-Z]\w+)"', lua_text(file))
    }
    ended = {f"RouterWorkerOffer{how}" for how in ("Declined", "Revoked", "Expired")}
    return frozenset(named - {"RouterWorkerOffer"} | ended)


@functools.cache
def lua_nodes(name: str) -> Sequence[Any]:
    """All nodes of a Lua file."""
    return list(lua_ast.walk(lua_ast.parse(lua_text(name))))


def python_files(*folders: str) -> Iterator[Path]:
    """The Python files of these top-level folders."""
    for folder in folders:
        yield from sorted((ROOT / folder).rglob("*.py"))


@functools.cache
def python_tree(path: Path) -> ast.Module:
    """The syntax tree of a Python file."""
    return ast.parse(path.read_text())


def module_name(path: Path) -> str:
    """The dotted name of a Python file."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def text_of(name: str) -> str:
    """A file of the tree; the test is skipped while it is not there, which CI does not forgive."""
    path = ROOT / name
    if not path.exists():
        missing(f"{name} does not exist")
    return path.read_text()


def missing(what: str) -> None:
    """Skips a test for want of something; under CI it fails."""
    if os.environ.get("CI"):
        pytest.fail(what)
    pytest.skip(what)


# ---- Lua syntax --------------------------------------------------------------------------------------------


def dotted(node: Any) -> tuple[str, str] | None:
    """Module and name of ``module.name``; None for anything else."""
    if (
        isinstance(node, lua.Index)
        and isinstance(node.value, lua.Name)
        and isinstance(node.idx, lua.Name)
        and node.notation == lua.IndexNotation.DOT
    ):
        return node.value.id, node.idx.id
    return None


def string(node: Any) -> str | None:
    """The value of a string literal; None for anything else."""
    if not isinstance(node, lua.String):
        return None
    value = node.s
    return value.decode() if isinstance(value, bytes) else str(value)


def calls(name: str) -> Iterator[tuple[tuple[str, str], Any]]:
    """All calls ``module.name(…)`` in a Lua file, with their nodes."""
    for node in lua_nodes(name):
        if isinstance(node, lua.Call) and (target := dotted(node.func)):
            yield target, node
