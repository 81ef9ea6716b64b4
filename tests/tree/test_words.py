"""Wire names (camelCase) stand in api/wire and in the payloads of events; elsewhere only enum values."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable
from pathlib import Path

import pytest
from luaparser import astnodes as lua

from tests.tree.sources import LUA_FILES, PAYLOADS, ROOT, lua_nodes, python_files, python_tree, string

# Values, not names: the wire's words for states, modes, kinds and schemas are stored as they are.
VALUES = {
    "waitingForActivation",
    "pendingSchedule",
    "pendingClassification",
    "scheduleFailed",
    "classificationFailed",
    "queueAndMatch",
    "scheduleAndSuspend",
    "longestIdle",
    "roundRobin",
    "bestWorker",
    "eventGrid",
    "cloudEventsStructured",
    "cloudEventsBinary",
}
_WORD = re.compile(r"\b[a-z]+(?:[A-Z][a-z]+)+\b")


def _words(texts: Iterable[str]) -> set[str]:
    return {word for text in texts for word in _WORD.findall(text)} - VALUES


@pytest.mark.parametrize("name", sorted(set(LUA_FILES) - PAYLOADS))
def test_lua_knows_no_wire_names(name: str) -> None:
    literals = (string(node) for node in lua_nodes(name) if isinstance(node, lua.String))
    assert _words(text for text in literals if text and " " not in text) == set()


def _literals(path: Path) -> Iterable[str]:
    """String literals but docstrings and texts of several words, which are messages."""
    for node in ast.walk(python_tree(path)):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and " " not in node.value:
            yield node.value


FILES = [path for path in python_files("engine", "api") if ROOT / "api" / "wire" not in path.parents]


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_python_knows_no_wire_names(path: Path) -> None:
    assert _words(_literals(path)) == set()
