"""The words for what is wrong, with what was perhaps meant."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable

from engine.expressions.errors import BadExpression, wrong_at

MAX_SHOWN = 40
"""Characters of a word that an error repeats."""

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


def shown(word: str) -> str:
    """A word of the source, cut where it is long."""
    return word if len(word) <= MAX_SHOWN else f"{word[:MAX_SHOWN]}…"


def suggestion(word: str, known: Iterable[str]) -> str:
    """A word that was perhaps meant: the same in other letters, or a similar one."""
    names = list(known)
    same = [name for name in names if name.lower() == word.lower()]
    close = same or difflib.get_close_matches(word[:MAX_SHOWN], names, n=1)
    return f" Did you mean '{close[0]}'?" if close else ""


def ends_too_early(source: str) -> BadExpression:
    """Something is missing at the end."""
    text = "The expression ends too early: a value is missing, or a parenthesis is not closed."
    return wrong_at(source, len(source.rstrip()), text if source.strip() else "The expression is empty.")


def complaint(source: str, position: int) -> str:
    """Why what begins at a position cannot stand there."""
    rest = source[position:]
    if rest[0] in _QUOTED and rest.count(rest[0]) == 1:
        return f"The {_QUOTED[rest[0]]} has no closing quote."
    for mark, text in _INSTEAD.items():
        if rest.startswith(mark) or (mark == "==" and source[position - 1 : position + 1] == mark):
            return text
    here = re.match(r"\w+|.", rest, re.DOTALL)
    word = here[0] if here else rest
    before = re.search(r"\b\w{1,7}$", source[:position].rstrip()[-8:])
    hints = [_operator(name) for name in (word, before[0] if before else "")]
    return f"'{shown(word)}' cannot stand here.{max(hints)}"


def _operator(word: str) -> str:
    """The operator that a word is but for the case of its letters."""
    meant = [name for name in _OPERATORS if name != word and name.lower() == word.lower()]
    return f" Did you mean '{meant[0]}'?" if meant else ""
