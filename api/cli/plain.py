"""What users gave, as text for a terminal: it moves no cursor, begins no line, and sets no title."""

from __future__ import annotations

import json
from collections.abc import Callable


def plain(text: str) -> str:
    """A value, as ids are; in quotes and escaped when it holds what is not printable."""
    return text if text.isprintable() else ascii(text)


def plain_line(text: str) -> str:
    """A line that holds users' values, with what is not printable escaped where it stands."""
    return text if text.isprintable() else _escaped(text, lambda letter: ascii(letter)[1:-1])


def plain_json(text: str) -> str:
    """JSON with what is not printable escaped as JSON has it: the same value. Its line feeds stay."""
    return _escaped(text, lambda letter: letter if letter == "\n" else json.dumps(letter)[1:-1])


def _escaped(text: str, escape: Callable[[str], str]) -> str:
    return "".join(letter if letter.isprintable() else escape(letter) for letter in text)
