"""The closed list of reasons is the same in Lua, in the sentences, on the wire and in the README."""

from __future__ import annotations

from typing import Any

from luaparser import astnodes as lua

from api.sentences import SENTENCES
from api.wire.explanations import CODES as WIRE
from engine.explanations import CODES
from tests.tree.sources import LUA_FILES, calls, dotted, lua_nodes, string, text_of


def _declared() -> set[str]:
    (table,) = (
        node.values[0]
        for node in lua_nodes("reasons.lua")
        if isinstance(node, lua.Assign) and dotted(node.targets[0]) == ("reasons", "CODES")
    )
    return {field.key.id for field in table.fields}


def _given(node: Any) -> str | None:
    """The code that a call names, when it is no variable."""
    return string(node.args[1])


def test_all_know_the_same_codes() -> None:
    assert _declared() == set(CODES)
    assert set(SENTENCES) == set(CODES)
    assert set(WIRE) == set(CODES)


def test_only_known_codes_are_given() -> None:
    calls_of = [node for file in LUA_FILES for target, node in calls(file) if target == ("reasons", "add")]
    given = {_given(node) for node in calls_of} - {None}
    assert calls_of
    assert given <= set(CODES)


def test_wire_names_are_those_of_the_codes() -> None:
    def camel(code: str) -> str:
        first, *rest = code.split("_")
        return first + "".join(word.capitalize() for word in rest)

    assert {code: camel(code) for code in CODES} == WIRE


def test_the_readme_tells_each_code() -> None:
    told = text_of("api/README.md").partition("\n## Why was this job not offered?\n")[2].partition("\n## ")[0]
    assert {code for code in WIRE.values() if f"`{code}`" not in told} == set()
