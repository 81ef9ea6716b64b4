"""What is wrong with an expression, and where."""

from __future__ import annotations


class BadExpression(ValueError):
    """The text is not an expression; ``text`` says why, ``line`` and ``column`` (from 1) where."""

    def __init__(self, text: str, line: int, column: int) -> None:
        super().__init__(f"line {line}, column {column}: {text}")
        self.text = text
        self.line = line
        self.column = column
