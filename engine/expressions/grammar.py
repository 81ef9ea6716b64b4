"""The words of the language, and how tight its operators bind."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from engine.expressions.functions import BOOLEAN, NUMBER, TEXT

_TOKEN = re.compile(
    r"""
      (?P<space>  \s+ | //[^\r\n]* | /\*.*?\*/ )
    | (?P<number> (?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)? )
    | (?P<text>   "[^"]*(?:""[^"]*)*" )
    | (?P<word>   [^\W\d]\w* )
    | (?P<quoted> '[^']*(?:''[^']*)*' )
    | (?P<sign>   \|\| | && | <= | >= | <> | [-=<>&+*/^%!.(),] )
    | (?P<other>  . )
    """,
    re.VERBOSE | re.DOTALL,
)


class Token(NamedTuple):
    """A word, literal or sign, and its position in the source; at the end one of kind ``end``."""

    kind: str
    text: str
    at: int


def tokens(source: str) -> Iterator[Token]:
    """The tokens of a source, as far as they are asked for; white space and comments are none."""
    for match in _TOKEN.finditer(source):
        kind = match.lastgroup or ""
        if kind != "space":
            yield Token(kind, match[0], match.start())
    yield Token("end", "", len(source))


class Infix(NamedTuple):
    """An operator between two operands, from left to right."""

    name: str
    binding: int
    type: str
    chained: bool = False  # a row of it is one node


INFIX = {
    "||": Infix("Or", 1, BOOLEAN, True),
    "Or": Infix("Or", 1, BOOLEAN, True),
    "&&": Infix("And", 2, BOOLEAN, True),
    "And": Infix("And", 2, BOOLEAN, True),
    **{sign: Infix(sign, 3, BOOLEAN) for sign in ("in", "exactin")},
    **{sign: Infix(sign, 4, BOOLEAN) for sign in ("=", "<>", "<", "<=", ">", ">=")},
    "&": Infix("&", 5, TEXT, True),
    "+": Infix("+", 6, NUMBER, True),
    "-": Infix("+", 6, NUMBER, True),  # of its right operand's opposite, so that a row of + and - is one
    "*": Infix("*", 7, NUMBER, True),
    "/": Infix("/", 7, NUMBER),
}
"""As in Power Fx, weakest first. Tighter bind signs before an operand, then ``^``, then ``%`` behind one."""
