"""Who may import whom: lua ← engine.library ← engine.store ← {engine.worker, api}."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.tree.sources import ROOT, module_name, python_files, python_tree


class Rule(NamedTuple):
    """What is in ``who`` may not import what is in ``what``, but for the modules of ``unless``."""

    who: str
    what: str
    unless: tuple[str, ...] = ()


# The command line puts API and worker together in one process; the wire knows of neither.
COMMAND_LINE = ("api.cli", "api.serving.runtime", "api.serving.router")

RULES = (
    Rule("engine", "api"),
    Rule("engine", "starlette"),
    Rule("engine", "uvicorn"),
    Rule("engine.library", "engine.store"),
    Rule("engine.library", "engine.connection"),
    Rule("engine.commands", "engine.store"),
    Rule("engine.model", "engine.store"),
    Rule("engine.store", "engine.worker"),
    Rule("engine.connection", "engine.store"),
    Rule("engine.outgoing", "engine.store"),
    Rule("engine.outgoing", "engine.worker"),
    Rule("engine.outgoing", "redis"),
    Rule("api", "redis"),
    Rule("api", "hiredis"),
    Rule("api", "engine.worker", unless=COMMAND_LINE),
    Rule("api", "engine.connection", unless=COMMAND_LINE),
    Rule("api.wire", "engine.store"),
    Rule("api.wire", "starlette"),
    Rule("api", "api.app", unless=COMMAND_LINE),
    Rule("api", "tests"),
    Rule("engine", "tests"),
    Rule("api", "bench"),
    Rule("engine", "bench"),
)

FILES = [*python_files("engine", "api")]


def _imports(path: Path) -> Iterator[str]:
    for node in ast.walk(python_tree(path)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            yield node.module or ""
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def _is_in(name: str, package: str) -> bool:
    return name == package or name.startswith(f"{package}.")


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_arrows_point_one_way(path: Path) -> None:
    name = module_name(path)
    rules = [
        rule for rule in RULES if _is_in(name, rule.who) and not any(_is_in(name, one) for one in rule.unless)
    ]
    wrong = {(imported, rule) for imported in _imports(path) for rule in rules if _is_in(imported, rule.what)}
    assert wrong == set()
