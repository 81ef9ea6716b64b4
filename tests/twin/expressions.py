"""Compiled expressions as the naive evaluator takes them."""

from __future__ import annotations

from functools import reduce
from typing import Any

import msgspec

from tests.expressions.twin import Apply, Label, Literal, Tree

CHAINS = ("+", "*", "&")
"""Operators of two operands that the compiler joins to chains."""


def tree_of(text: str) -> Tree:
    """The tree of a compiled text."""
    return _tree(msgspec.json.decode(text))


def _tree(form: Any) -> Tree:
    if not isinstance(form, list):
        return Literal(float(form) if isinstance(form, int) and not isinstance(form, bool) else form)
    name, *parts = form
    if name == ".":
        return Label(parts[0], msgspec.json.decode(parts[1]))
    if name in CHAINS:
        return reduce(lambda left, right: Apply(name, (left, right)), map(_tree, parts))
    return Apply(name, tuple(map(_tree, parts)))
