"""The tree of an expression, built from its leaves with its limits in view."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from engine.expressions.errors import BadExpression, wrong_at
from engine.expressions.functions import ANY, BLANK, COERCIONS, FUNCTIONS, results
from engine.expressions.grammar import Token
from engine.model import json_text

MAX_DEPTH = 32
"""Operators, functions and parentheses inside each other; a chain of one operator counts once."""

MAX_NODES = 500
"""Operators, functions, labels, literals and pairs of parentheses: no more steps takes an evaluation."""

Label = tuple[str, str]
"""A record and the key of one of its labels."""


class Node(NamedTuple):
    """A part of an expression: its form in JSON, its type and its depth."""

    form: Any
    type: str
    depth: int = 1


class Tree:
    """The nodes of one source, counted, and the labels that they read."""

    def __init__(self, source: str) -> None:
        self.source = source
        self.size = 0
        self.reads: set[Label] = set()

    def bad(self, at: Token, text: str) -> BadExpression:
        """An error at a token."""
        return wrong_at(self.source, at.at, text)

    def count(self, at: Token) -> None:
        """Counts a node. Raises BadExpression when there are too many."""
        self.size += 1
        if self.size > MAX_NODES:
            most = f"at most {MAX_NODES} operators, functions, values and parentheses"
            raise self.bad(at, f"The expression is too large: {most}.")

    def literal(self, at: Token, value: float | str | bool, type: str) -> Node:
        """A number, a text or a boolean."""
        self.count(at)
        return Node(value, type)

    def label(self, at: Token, record: str, key: str) -> Node:
        """The label of a record."""
        self.count(at)
        self.reads.add((record, key))
        return Node([".", record, json_text(key)], ANY)

    def apply(self, at: Token, name: str, type: str, operands: Sequence[Node]) -> Node:
        """An operator or function with its operands. Raises BadExpression when it becomes too large."""
        self.count(at)
        depth = self.deeper(at, max((operand.depth for operand in operands), default=0))
        return Node([name, *(operand.form for operand in operands)], type, depth)

    def chain(self, at: Token, name: str, type: str, left: Node, right: Node) -> Node:
        """``left name right``, joined to the chain that ``left`` may be; from left to right."""
        if not (isinstance(left.form, list) and left.form[0] == name):
            return self.apply(at, name, type, [left, right])
        self.count(at)
        left.form.append(right.form)
        return Node(left.form, type, max(left.depth, self.deeper(at, right.depth)))

    def call(self, at: Token, name: str, arguments: list[Node]) -> Node:
        """A function with its arguments. Raises BadExpression when their number is not right."""
        function = FUNCTIONS[name]
        if not function.least <= len(arguments) <= function.most:
            raise self.bad(at, f"{name} takes {function.arity()}, not {len(arguments) or 'none'}.")
        if function.type is not None:
            return self.apply(at, name, function.type, arguments)
        type, arguments = self._of_one_type(at, arguments, results(name, len(arguments)))
        return self.apply(at, name, type, arguments)

    def deeper(self, at: Token, depth: int) -> int:
        """The depth of what has operands of a depth. Raises BadExpression when it is too deep."""
        if depth >= MAX_DEPTH:
            raise self.bad(at, f"The expression is nested too deeply: at most {MAX_DEPTH} levels.")
        return depth + 1

    def _of_one_type(self, at: Token, arguments: list[Node], places: list[int]) -> tuple[str, list[Node]]:
        """As the language has it, all results become of the first one's type; a label keeps its own."""
        wanted = next((arguments[place].type for place in places if arguments[place].type != BLANK), BLANK)
        coerced = list(arguments)
        for place in places:
            result = arguments[place]
            if wanted in COERCIONS and result.type not in (wanted, ANY, BLANK):
                coerced[place] = self.apply(at, COERCIONS[wanted], wanted, [result])
        types = {coerced[place].type for place in places} - {BLANK}
        return (types.pop() if len(types) == 1 else ANY if types else BLANK), coerced
