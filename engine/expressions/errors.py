"""What is wrong with an expression, and where."""

from __future__ import annotations


class BadExpression(ValueError):
    """The text is not an expression; ``text`` says why, ``line`` and ``column`` (from 1) where."""

    def __init__(self, text: str, line: int, column: int) -> None:
        super().__init__(f"line {line}, column {column}: {text}")
        self.text = text
        self.line = line
        self.column = column


def wrong_at(source: str, position: int, text: str) -> BadExpression:
    """An error at a position of the source, from 0."""
    line = source.count("\n", 0, position) + 1
    return BadExpression(text, line, position - source.rfind("\n", 0, position))
