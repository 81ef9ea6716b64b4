"""The operation that tries an expression: replies, and what it refuses."""

from __future__ import annotations

from typing import Any

import pytest

from engine.commands import ExpressionEvaluate
from engine.errors import Refused
from tests.support import SyncStore


@pytest.mark.parametrize(
    ("tree", "kind", "value"),
    [
        ('["+",1,0.5]', "number", "1.5"),
        ('["-",["*",0,1]]', "number", "0"),
        ('["/",1,3]', "number", "0.3333333333333333"),
        ('"\\u0000é"', "text", "\0é"),
        ("true", "boolean", "true"),
        ("false", "boolean", "false"),
        ('["Blank"]', "blank", ""),
        ('[".","job","\\"A\\""]', "boolean", "true"),
        ('[".","worker","\\"A\\""]', "blank", ""),
        ('["/",1,0]', "error", "division by zero"),
    ],
)
def test_expression_evaluate(store: SyncStore, root: str, tree: str, kind: str, value: str) -> None:
    reply = store.run(root, ExpressionEvaluate(tree=tree, job='"A":true'))
    assert reply == {"kind": kind, "value": value}


@pytest.mark.parametrize(
    "fields",
    [
        *(
            {"tree": tree}
            for tree in (
                *("", "x", "null", "[]", "{}", '{"a":1}', "1,2", "[1]", '["Foo",1]', '["If",true]', '["If"]'),
                *('["Not",true,false]', '["Mid","a",1,2,3]', '["+",1,null]', '["+",1,[]]', '["Blank",1]'),
                *('[".","job"]', '[".","tenant","a"]', '[".","job",1]', '[".","job","a",1]', '[".",[],"a"]'),
                *('[["If"],1,2]', "[null,1]", "[" * 200 + "]" * 200, '["-",' * 1200 + "1" + "]" * 1200),
            )
        ),
        *(
            {"tree": "1", record: text}
            for record in ("job", "worker", "queue")
            for text in (
                "x",
                '"A":',
                '"A":{}',
                '"A":null',
                '"A":1,"B":2',
                '"A":1\n"B":2',
                '"A":1\n,"B":2',
                '"A":1,\n"A":2',
                "{}",
            )
        ),
    ],
    ids=repr,
)
def test_expression_evaluate_malformed(store: SyncStore, root: str, fields: dict[str, Any]) -> None:
    with pytest.raises(Refused, match=r"^BAD_CALL "):
        store.run(root, ExpressionEvaluate(**fields))
