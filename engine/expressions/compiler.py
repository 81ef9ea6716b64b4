"""From source text to the tree that the store evaluates."""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from lark import Lark, Token, Transformer, UnexpectedCharacters, UnexpectedToken, v_args

from engine.expressions.errors import BadExpression
from engine.expressions.functions import ANY, BOOLEAN, FUNCTIONS, NUMBER, TEXT
from engine.expressions.grammar import GRAMMAR
from engine.expressions.nodes import MAX_LENGTH, Node, apply, bad, call, chain
from engine.model import json_text

RECORDS = ("job", "worker", "queue")
"""The records whose labels an expression may read."""

MAX_SHOWN = 40
"""Characters of a word that an error repeats."""

_LITERALS = {"true": True, "false": False}
_OPERATORS = ("And", "Or", "Not", "in", "exactin")
_QUOTED = {'"': "text", "'": "name"}
_INSTEAD = {
    "==": "Equality is written '='.",
    "!=": "Inequality is written '<>'.",
    ";": "An expression is one formula: there are no chains.",
    "{": "There are no records and tables.",
    "[": "There are no records and tables.",
}
"""What to write instead of what does not belong to the language."""


class Compiled(NamedTuple):
    """An expression: its tree as JSON text, and by record the keys of the labels that it reads."""

    text: str
    reads: Mapping[str, frozenset[str]]


def compile_expression(source: str) -> Compiled:
    """Checks and compiles an expression. Raises BadExpression with the place of what is wrong."""
    if len(source) > MAX_LENGTH:
        raise BadExpression(f"The expression is too long: at most {MAX_LENGTH} characters.", 1, 1)
    try:
        node: Any = _PARSER.parse(source)
    except UnexpectedToken as error:
        raise _unexpected(source, error.token) from error
    except UnexpectedCharacters as error:
        raise _unreadable(source, error) from error
    reads = {record: frozenset(key for owner, key in node.reads if owner == record) for record in RECORDS}
    return Compiled(json_text(node.form), reads)


# ---- the tree ----------------------------------------------------------------------------------------------


def _unquoted(token: Token) -> str:
    """A name, without its quotes when it has any."""
    return token[1:-1].replace("''", "'") if token.startswith("'") else str(token)


@v_args(inline=True)
class _Builder(Transformer[Token, Node]):
    """Makes nodes while the parser runs, so that nothing is ever nested deeper than it may be."""

    def start(self, node: Node) -> Node:
        return node

    def number(self, token: Token) -> Node:
        value = float(token)
        if not math.isfinite(value):
            raise bad(token, "The number is too large.")
        return Node(int(value) if value.is_integer() and value < 2**53 else value, NUMBER)

    def text(self, token: Token) -> Node:
        return Node(token[1:-1].replace('""', '"'), TEXT)

    def name(self, token: Token) -> Node:
        if token in _LITERALS:
            return Node(_LITERALS[token], BOOLEAN)
        if token in RECORDS:
            raise bad(token, f"'{token}' is a record: name one of its labels, as in {token}.Region.")
        if token.startswith("'"):
            raise bad(token, f"{_shown(token)} is a name, not a text: a text stands in double quotes.")
        if token in FUNCTIONS:
            raise bad(token, f"{token} is a function: its arguments follow in parentheses.")
        raise bad(token, f"There is no '{_shown(token)}' here.{_suggestion(token, (*RECORDS, *_LITERALS))}")

    def label(self, record: Token, _: Token, key: Token) -> Node:
        name = _unquoted(record)
        if name not in RECORDS:
            hint = _suggestion(name, RECORDS) or f" There are {', '.join(RECORDS)}."
            raise bad(record, f"There is no record '{_shown(name)}'.{hint}")
        label = (name, _unquoted(key))
        return Node([".", name, json_text(label[1])], ANY, reads=frozenset([label]))

    def nested(self, _record: Token, _dot: Token, _key: Token, dot: Token, *_: Token) -> Node:
        raise bad(dot, "A label is a single value: nothing can be read from it.")

    def first_argument(self, node: Node) -> list[Node]:
        return [node]

    def next_argument(self, arguments: list[Node], _: Token, node: Node) -> list[Node]:
        arguments.append(node)
        return arguments

    def call(self, name: Token, _open: Token, arguments: list[Node] | None, _close: Token) -> Node:
        if name in FUNCTIONS:
            return call(name, str(name), arguments or [])
        close = _suggestion(name, FUNCTIONS) or f" There are {', '.join(FUNCTIONS)}."
        raise bad(name, f"There is no function '{_shown(name)}'.{close}")

    def enclosed(self, _open: Token, node: Node, _close: Token) -> Node:
        return node

    def either(self, left: Node, operator: Token, right: Node) -> Node:
        return chain(operator, "Or", BOOLEAN, left, right)

    def both(self, left: Node, operator: Token, right: Node) -> Node:
        return chain(operator, "And", BOOLEAN, left, right)

    def opposite(self, operator: Token, node: Node) -> Node:
        return apply(operator, "Not", BOOLEAN, [node])

    def binary(self, left: Node, operator: Token, right: Node) -> Node:
        type = BOOLEAN if operator.type in ("IN", "COMPARE") else NUMBER
        return apply(operator, str(operator), type, [left, right])

    def chain(self, left: Node, operator: Token, right: Node) -> Node:
        return chain(operator, str(operator), TEXT if operator.type == "JOIN" else NUMBER, left, right)

    def difference(self, left: Node, operator: Token, right: Node) -> Node:
        # a sum like any other, so that a row of + and - is one chain
        return chain(operator, "+", NUMBER, left, self.negated(operator, right))

    def negated(self, operator: Token, node: Node) -> Node:
        return apply(operator, "-", NUMBER, [node])

    def percent(self, node: Node, operator: Token) -> Node:
        return apply(operator, "%", NUMBER, [node])


_PARSER = Lark(GRAMMAR, parser="lalr", lexer="contextual", transformer=_Builder(), maybe_placeholders=True)


# ---- errors ------------------------------------------------------------------------------------------------


def _shown(word: str) -> str:
    """A word of the source, cut where it is long."""
    return word if len(word) <= MAX_SHOWN else f"{word[:MAX_SHOWN]}…"


def _suggestion(word: str, known: Iterable[str]) -> str:
    """A word that was perhaps meant: the same in other letters, or a similar one."""
    names = list(known)
    same = [name for name in names if name.lower() == word.lower()]
    close = same or difflib.get_close_matches(word, names, n=1)
    return f" Did you mean '{close[0]}'?" if close else ""


def _at_the_end(source: str) -> BadExpression:
    text = "The expression ends too early: a value is missing, or a parenthesis is not closed."
    lines = source.rstrip().split("\n")
    place = len(lines), len(lines[-1]) + 1
    return BadExpression(text if source.strip() else "The expression is empty.", *place)


def _unexpected(source: str, token: Token) -> BadExpression:
    """A token where the grammar has none of its kind."""
    if token.type == "$END":
        return _at_the_end(source)
    return bad(token, _complaint(source, token.start_pos or 0))


def _unreadable(source: str, error: UnexpectedCharacters) -> BadExpression:
    """Characters that are no token, or none that may stand there."""
    return BadExpression(_complaint(source, error.pos_in_stream or 0), error.line, error.column)


def _complaint(source: str, position: int) -> str:
    rest = source[position:]
    if rest[0] in _QUOTED and rest.count(rest[0]) == 1:
        return f"The {_QUOTED[rest[0]]} has no closing quote."
    for mark, text in _INSTEAD.items():
        if rest.startswith(mark) or (mark == "==" and source[position - 1 : position + 1] == mark):
            return text
    here = re.match(r"\w+|.", rest, re.DOTALL)
    before = re.search(r"(\w+)\s*$", source[:position])
    hints = [_operator(match[0].strip()) for match in (here, before) if match]
    return f"'{_shown(here[0] if here else rest)}' cannot stand here.{max(hints)}"


def _operator(word: str) -> str:
    """The operator that a word is but for the case of its letters."""
    meant = [name for name in _OPERATORS if name != word and name.lower() == word.lower()]
    return f" Did you mean '{meant[0]}'?" if meant else ""
