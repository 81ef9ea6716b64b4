"""From source text to the tree that the store evaluates."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from engine.expressions.errors import BadExpression, wrong_at
from engine.expressions.parser import RECORDS, parse
from engine.model import json_text

MAX_LENGTH = 4096
"""Characters of a source text."""


class Compiled(NamedTuple):
    """An expression: its tree as JSON text, and by record the keys of the labels that it reads."""

    text: str
    reads: Mapping[str, frozenset[str]]


def compile_expression(source: str) -> Compiled:
    """Checks and compiles an expression. Raises BadExpression with the place of what is wrong."""
    if len(source) > MAX_LENGTH:
        raise BadExpression(f"The expression is too long: at most {MAX_LENGTH} characters.", 1, 1)
    try:
        source.encode()
    except UnicodeEncodeError as error:
        raise wrong_at(source, error.start, "Half a character cannot stand here.") from error
    node, labels = parse(source)
    reads = {record: frozenset(key for owner, key in labels if owner == record) for record in RECORDS}
    return Compiled(json_text(node.form), reads)
