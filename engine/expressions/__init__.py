"""Rule expressions: a subset of Power Fx, checked and compiled here, evaluated in ``lua/expressions``.

An expression is compiled once, when its policy is written. What the store keeps is a tree as JSON text: a
number, a text or a boolean stands for itself; a list is an operator or a function with its operands,
``[".", record, key]`` the label of a record.
"""

from __future__ import annotations

from engine.expressions.compiler import Compiled, compile_expression
from engine.expressions.errors import BadExpression

__all__ = ["BadExpression", "Compiled", "compile_expression"]
