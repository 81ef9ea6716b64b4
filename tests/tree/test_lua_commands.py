"""Which commands of the server the library calls: users are granted these, read from its text."""

from __future__ import annotations

from luaparser import astnodes as lua

from engine.library import library
from tests.tree.sources import LUA_FILES, calls, dotted, lua_nodes, string

USED = {"call", "register_function", "sha1hex", "acl_check_cmd"}


def test_each_call_names_its_command() -> None:
    """Else a user could be refused, in the middle of a function, what nobody knew to be called."""
    made_up = [
        (name, node.line)
        for name in LUA_FILES
        for target, node in calls(name)
        if target == ("redis", "call") and string(node.args[0]) is None
    ]
    assert made_up == []


def test_nothing_else_reaches_the_server() -> None:
    """No other name for redis or what it has: each mention is the call of one of its functions."""
    for name in LUA_FILES:
        nodes = lua_nodes(name)
        mentions = sum(isinstance(node, lua.Name) and node.id == "redis" for node in nodes)
        called = [
            node
            for node in nodes
            if isinstance(node, lua.Call) and (dotted(node.func) or "")[:1] == ("redis",)
        ]
        assert mentions == len(called), name
        assert {dotted(node.func)[1] for node in called} <= USED, name


def test_the_library_tells_its_commands() -> None:
    called = {
        string(node.args[0])
        for name in LUA_FILES
        for target, node in calls(name)
        if target == ("redis", "call")
    }
    assert {str(command).lower() for command in called} == library().commands
    assert len(called) > 40
