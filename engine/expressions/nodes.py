"""The tree of an expression, built from its leaves with its limits in view."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from lark import Token

from engine.expressions.errors import BadExpression
from engine.expressions.functions import ANY, BLANK, COERCIONS, FUNCTIONS, results

MAX_LENGTH = 4096
"""Characters of a source text."""

MAX_DEPTH = 32
"""Operators and functions inside each other; a chain of one operator counts once."""

MAX_NODES = 1000
"""Operators, functions, labels and literals; an evaluation takes at most one step for each."""

Label = tuple[str, str]
"""A record and the key of one of its labels."""


class Node(NamedTuple):
    """A part of an expression: its form in JSON, its type, its size, and the labels it reads."""

    form: Any
    type: str
    size: int = 1
    depth: int = 1
    reads: frozenset[Label] = frozenset()


def bad(token: Token, text: str) -> BadExpression:
    """An error at a token."""
    return BadExpression(text, token.line or 1, token.column or 1)


def apply(at: Token, name: str, type: str, operands: Sequence[Node]) -> Node:
    """An operator or function with its operands. Raises BadExpression when it becomes too large."""
    depth = 1 + max((operand.depth for operand in operands), default=0)
    return _node(at, [name, *(operand.form for operand in operands)], type, operands, depth)


def chain(at: Token, name: str, type: str, left: Node, right: Node) -> Node:
    """``left name right``, joined to the chain that ``left`` may be: the operator goes from left to right."""
    if not (isinstance(left.form, list) and left.form[0] == name):
        return apply(at, name, type, [left, right])
    depth = max(left.depth, 1 + right.depth)
    return _node(at, [*left.form, right.form], type, [left, right], depth)


def _node(at: Token, form: list[Any], type: str, operands: Sequence[Node], depth: int) -> Node:
    size = 1 + sum(operand.size for operand in operands)
    if size > MAX_NODES:
        raise bad(at, f"The expression is too large: at most {MAX_NODES} operators, functions and values.")
    if depth > MAX_DEPTH:
        raise bad(at, f"The expression is nested too deeply: at most {MAX_DEPTH} levels.")
    reads = frozenset[Label]().union(*(operand.reads for operand in operands))
    return Node(form, type, size, depth, reads)


def call(at: Token, name: str, arguments: list[Node]) -> Node:
    """A function with its arguments. Raises BadExpression when their number is not right."""
    function = FUNCTIONS[name]
    if not function.least <= len(arguments) <= function.most:
        raise bad(at, f"{name} takes {function.arity()}, not {len(arguments) or 'none'}.")
    if function.type is not None:
        return apply(at, name, function.type, arguments)
    type, arguments = _of_one_type(at, arguments, results(name, len(arguments)))
    return apply(at, name, type, arguments)


def _of_one_type(at: Token, arguments: list[Node], places: list[int]) -> tuple[str, list[Node]]:
    """As the language has it, all results become of the first one's type; a label keeps its own."""
    wanted = next((arguments[place].type for place in places if arguments[place].type != BLANK), BLANK)
    coerced = list(arguments)
    for place in places:
        result = arguments[place]
        if wanted in COERCIONS and result.type not in (wanted, ANY, BLANK):
            coerced[place] = apply(at, COERCIONS[wanted], wanted, [result])
    types = {coerced[place].type for place in places} - {BLANK}
    return (types.pop() if len(types) == 1 else ANY if types else BLANK), coerced
