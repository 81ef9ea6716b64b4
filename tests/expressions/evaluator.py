"""Expressions through the compiler and the library of a real server, as plain values."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from engine.commands import ExpressionEvaluate
from engine.expressions import compile_expression
from engine.model import Scalar, members_text
from tests.support import SyncStore

Labels = Mapping[str, Scalar]


class Error(NamedTuple):
    """What a failed expression gives."""

    reason: str


Value = Scalar | Error | None
NUMBER, DIVISION = (
    Error("a text that is not a number is used as one"),
    Error("division by zero"),
)
CONDITION = Error("a text that is neither true nor false is used as a condition")
LARGE, ROOT = Error("a number becomes too large"), Error("a root of a negative number")
COUNT, POSITION = Error("a number of characters is negative"), Error("a position in a text is less than 1")
TEXT = Error("it works on more text than one evaluation may")


class Evaluator:
    """Evaluates for one router."""

    def __init__(self, store: SyncStore, root: str) -> None:
        self.store = store
        self.root = root

    def __call__(self, source: str, **records: Labels) -> Value:
        """The value of an expression over labels; None is blank."""
        documents = {record: members_text(labels) for record, labels in records.items()}
        command = ExpressionEvaluate(tree=compile_expression(source).text, **documents)
        reply = self.store.run(self.root, command)
        text = reply["value"]
        match reply["kind"]:
            case "number":
                return float(text)
            case "boolean":
                return {"true": True, "false": False}[text]
            case "blank":
                return None
            case "error":
                return Error(text)
        return str(text)
