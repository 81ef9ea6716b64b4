"""The documents tell what the code does: keys, refusals, settings, states, environment variables."""

from __future__ import annotations

import ast
import re
from typing import Any

from luaparser import astnodes as lua

from engine.errors import CODES
from tests.tree.sources import (
    LUA_FILES,
    MODULES,
    calls,
    dotted,
    lua_nodes,
    lua_text,
    python_files,
    python_tree,
    string,
    text_of,
)

DICTIONARY = "lua/README.md"

# ---- keys --------------------------------------------------------------------------------------------------


def _pattern(node: Any) -> str:
    """A text that is put together in Lua, with <> for what is only known when it runs."""
    if isinstance(node, lua.Concat):
        return _pattern(node.left) + _pattern(node.right)
    if isinstance(node, lua.Name) and node.id == "prefix":
        return ""
    text = string(node)
    return "<>" if text is None else text


def _made_keys() -> set[str]:
    """Key patterns: those of keys.lua, and the names of listings, which stand where listings are used."""
    made = {_pattern(node.values[0]) for node in lua_nodes("keys.lua") if isinstance(node, lua.Return)}
    for file in LUA_FILES:
        for target, node in calls(file):
            if target in (("keys", "listing"), ("listings", "add"), ("listings", "remove")):
                made.add(_pattern(node.args[0]))
    return made - {"<>"}


def _told_keys() -> set[str]:
    """The first column of the table of keys."""
    rows = re.findall(r"^\| (`[^|]*)\|", _section(DICTIONARY, "Keys"), re.MULTILINE)
    return {re.sub(r"<[^>]*>", "<>", key) for row in rows for key in re.findall(r"`([^`]+)`", row)}


def _section(file: str, title: str) -> str:
    """The text under a second-level title."""
    _, _, rest = text_of(file).partition(f"\n## {title}\n")
    return rest.partition("\n## ")[0]


def test_the_data_dictionary_has_every_key_and_no_other() -> None:
    assert _told_keys() == _made_keys() | {"jr:{main}"}


# ---- refusals and settings ---------------------------------------------------------------------------------


def test_refusals_are_declared_and_told() -> None:
    raised = {string(node.args[0]) for node in lua_nodes("refuse.lua") if _is_call(node, "raise")}
    assert raised == CODES
    assert set(re.findall(r"`([A-Z_]+)`", _section(DICTIONARY, "Refusals"))) == CODES


def _is_call(node: Any, name: str) -> bool:
    return isinstance(node, lua.Call) and isinstance(node.func, lua.Name) and node.func.id == name


def test_settings_are_told() -> None:
    told = set(re.findall(r"`([a-z_]+)`", _section(DICTIONARY, "Settings"))) - {
        "jr_settings_write",
        "jr_router_status",
    }
    assert told == set(re.findall(r'^  \{ "(\w+)", \d+', lua_text("limits.lua"), re.MULTILINE))


def test_every_module_is_told_with_its_folder() -> None:
    rows = re.findall(r"^\| `(\w+)/` \| (.*) \|$", _section(DICTIONARY, "Files"), re.MULTILINE)
    assert {name: folder for folder, names in rows for name in re.findall(r"`(\w+)`", names)} == MODULES


# ---- states of a job ---------------------------------------------------------------------------------------


def _transitions() -> set[tuple[str, str]]:
    """Pairs of the transition table; "" is no job yet."""
    (table,) = (
        node.values[0]
        for node in lua_nodes("statuses.lua")
        if isinstance(node, lua.Assign) and dotted(node.targets[0]) == ("statuses", "TRANSITIONS")
    )
    return {(_key(row), _key(cell)) for row in table.fields for cell in row.value.fields}


def _key(field: Any) -> str:
    return string(field.key) or "" if field.between_brackets else str(field.key.id)


def _graph() -> set[tuple[str, str]]:
    """Pairs of the first mermaid graph in the README; [*] is no job, and what leads to it is the end."""
    _, _, rest = text_of("README.md").partition("```mermaid\n")
    edges = re.findall(
        r"^\s*(\S+)\s+-->\s*(?:\|[^|]*\|)?\s*([\w*\[\]]+)", rest.partition("```")[0], re.MULTILINE
    )
    return {("" if start == "[*]" else start, end) for start, end in edges if end != "[*]"}


def test_the_state_graph_is_the_transition_table() -> None:
    assert _graph() == _transitions()


# ---- environment -------------------------------------------------------------------------------------------

_VARIABLE = re.compile(r"\bJOBROUTER_[A-Z_]+[A-Z]\b")


def _variables() -> set[str]:
    """Environment variables that the code names."""
    texts = (
        node.value
        for path in python_files("engine", "api")
        for node in ast.walk(python_tree(path))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    )
    return {name for text in texts for name in _VARIABLE.findall(text)}


def test_environment_variables_are_told() -> None:
    assert _variables() <= set(_VARIABLE.findall(text_of("deploy/README.md")))
