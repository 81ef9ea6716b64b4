"""Expressions of rules."""

from __future__ import annotations

from engine.commands.base import Command


class ExpressionEvaluate(Command, frozen=True):
    """Try a compiled expression (``engine.expressions``) on labels, as the documents that are stored."""

    function = "jr_expression_evaluate"
    write = False
    documents = ("tree", "job", "worker", "queue")

    tree: str = ""
    job: str = ""
    worker: str = ""
    queue: str = ""
