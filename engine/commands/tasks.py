"""What is done outside of the store, by those who ask others."""

from __future__ import annotations

from engine.commands.base import Command


class TaskLease(Command, frozen=True):
    """Take at most ``count`` tasks that are done outside of the store, each for ``lease_ms``."""

    function = "jr_task_lease"

    count: int
    lease_ms: int


class TaskAnswer(Command, frozen=True):
    """Answer a task. ``asked`` and ``revision`` are given back as they were leased.

    answers: a JSON object of engine.pipelines.Given by the places of their rules; of a handshake ``agreed``,
    ``later`` or ``failed``, then a newline and why; of a scoring a ranking, a JSON list of at most 100 pairs,
    the best first: a worker, and its score or null.
    """

    function = "jr_task_answer"
    documents = ("answers",)

    task: str
    asked: int
    revision: int
    answers: str = "{}"
