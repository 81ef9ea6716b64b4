"""From source text to a tree, by precedence climbing. It stops at the first thing that is wrong."""

from __future__ import annotations

import math

from engine.expressions.complaints import complaint, ends_too_early, shown, suggestion
from engine.expressions.errors import BadExpression
from engine.expressions.functions import BOOLEAN, FUNCTIONS, NUMBER, TEXT
from engine.expressions.grammar import INFIX, Token, tokens
from engine.expressions.nodes import Label, Node, Tree

RECORDS = ("job", "worker", "queue")
"""The records whose labels an expression may read."""

_LITERALS = {"true": True, "false": False}
_BEHIND_AN_OPERAND = frozenset((*INFIX, "^", "%", ")", ","))


def parse(source: str) -> tuple[Node, set[Label]]:
    """The root of the tree, and the labels that it reads. Raises BadExpression."""
    parser = _Parser(source)
    node = parser.expression()
    if parser.next.kind != "end":
        raise parser.unexpected()
    return node, parser.tree.reads


class _Parser:
    """Reads one source; each method begins at the next token and takes all that belongs to it."""

    def __init__(self, source: str) -> None:
        self.source = source
        self.tree = Tree(source)
        self.nesting = 1
        self._tokens = tokens(source)
        self.next = next(self._tokens)

    # ---- operators -----------------------------------------------------------------------------------------

    def expression(self, least: int = 0) -> Node:
        """Operands with operators between them that bind at least so tight."""
        left = self.prefixed()
        while (infix := INFIX.get(self.next.text)) and infix.binding >= least:
            at = self.take()
            right = self.expression(infix.binding + 1)
            if at.text == "-":
                right = self.tree.apply(at, "-", NUMBER, [right])
            if infix.chained:
                left = self.tree.chain(at, infix.name, infix.type, left, right)
            else:
                left = self.tree.apply(at, infix.name, infix.type, [left, right])
        return left

    def prefixed(self) -> Node:
        """A power, with the signs before it."""
        sign = self.next.text
        if sign == "-":
            at = self.enter()
            return self.tree.apply(at, "-", NUMBER, [self.leave(self.prefixed())])
        if sign == "!" or (sign == "Not" and not self.source.startswith("Not(", self.next.at)):
            at = self.enter()
            return self.tree.apply(at, "Not", BOOLEAN, [self.leave(self.prefixed())])
        return self.power()

    def power(self) -> Node:
        """An operand, with what it is raised to: that goes from right to left, and takes signs."""
        base = self.operand()
        while self.next.text == "%":
            base = self.tree.apply(self.take(), "%", NUMBER, [base])
        if self.next.text != "^":
            return base
        at = self.enter()
        return self.tree.apply(at, "^", NUMBER, [base, self.leave(self.prefixed())])

    # ---- operands ------------------------------------------------------------------------------------------

    def operand(self) -> Node:
        """A literal, a label, a call, or an expression in parentheses."""
        match self.next.kind:
            case "number":
                return self.number()
            case "text":
                at = self.take()
                return self.tree.literal(at, at.text[1:-1].replace('""', '"'), TEXT)
            case "word" | "quoted" if self.next.text != "''":
                return self.named()
            case "sign" if self.next.text == "(":
                at = self.enter()
                self.tree.count(at)
                node = self.leave(self.expression())
                self.close()
                return node._replace(depth=self.tree.deeper(at, node.depth))
        raise self.unexpected()

    def number(self) -> Node:
        """A number; a whole one is written without a point as long as that is exact."""
        at = self.take()
        value = float(at.text)
        if not math.isfinite(value):
            raise self.tree.bad(at, "The number is too large.")
        return self.tree.literal(at, int(value) if value.is_integer() and value < 2**53 else value, NUMBER)

    def named(self) -> Node:
        """What begins with a name."""
        name = self.take()
        if self.next.text == ".":
            return self.label(name)
        if self.next.text == "(":
            return self.call(name)
        if name.text in _LITERALS:
            return self.tree.literal(name, _LITERALS[name.text], BOOLEAN)
        if self.next.kind != "end" and self.next.text not in _BEHIND_AN_OPERAND:
            raise self.unexpected()
        raise self.tree.bad(name, self.lone(name.text))

    def lone(self, name: str) -> str:
        """What is wrong with a name that stands alone."""
        if name in RECORDS:
            return f"'{name}' is a record: name one of its labels, as in {name}.Region."
        if name.startswith("'"):
            return f"{shown(name)} is a name, not a text: a text stands in double quotes."
        if name in FUNCTIONS:
            return f"{name} is a function: its arguments follow in parentheses."
        word = shown(name)
        hint = f' A label is job.{word}, a text "{word}".'
        return f"There is no '{word}' here.{suggestion(name, (*RECORDS, *_LITERALS)) or hint}"

    def label(self, record: Token) -> Node:
        """``record.key``."""
        owner = _unquoted(record.text)
        if owner not in RECORDS:
            hint = suggestion(owner, RECORDS) or f" There are {', '.join(RECORDS)}."
            raise self.tree.bad(record, f"There is no record '{shown(owner)}'.{hint}")
        self.take()
        if self.next.kind not in ("word", "quoted") or self.next.text == "''":
            raise self.unexpected()
        node = self.tree.label(record, owner, _unquoted(self.take().text))
        if self.next.text == ".":
            raise self.tree.bad(self.next, "A label is a single value: nothing can be read from it.")
        return node

    def call(self, name: Token) -> Node:
        """``name(arguments)``."""
        if name.text not in FUNCTIONS:
            hint = suggestion(name.text, FUNCTIONS) or f" There are {', '.join(FUNCTIONS)}."
            raise self.tree.bad(name, f"There is no function '{shown(name.text)}'.{hint}")
        self.enter()
        arguments = [] if self.next.text == ")" else self.arguments()
        self.nesting -= 1
        self.close()
        return self.tree.call(name, name.text, arguments)

    def arguments(self) -> list[Node]:
        """Expressions with commas between them."""
        found = [self.expression()]
        while self.next.text == ",":
            self.take()
            found.append(self.expression())
        return found

    # ---- tokens --------------------------------------------------------------------------------------------

    def take(self) -> Token:
        """The next token, which is taken."""
        token, self.next = self.next, next(self._tokens, self.next)
        return token

    def enter(self) -> Token:
        """Takes a token that puts what follows a level deeper: so deep this recursion goes at most."""
        self.nesting = self.tree.deeper(self.next, self.nesting)
        return self.take()

    def leave(self, node: Node) -> Node:
        """What ``enter`` began is read."""
        self.nesting -= 1
        return node

    def close(self) -> None:
        """Takes the parenthesis at the end."""
        if self.next.text != ")":
            raise self.unexpected()
        self.take()

    def unexpected(self) -> BadExpression:
        """The next token cannot stand where it does."""
        if self.next.kind == "end":
            return ends_too_early(self.source)
        return self.tree.bad(self.next, complaint(self.source, self.next.at))


def _unquoted(name: str) -> str:
    """A name, without its quotes when it has any."""
    return name[1:-1].replace("''", "'") if name.startswith("'") else name
