"""Assignments of jobs to workers."""

from __future__ import annotations

from engine.commands.base import Command


class AssignmentComplete(Command, frozen=True):
    """note: the message as JSON string text, or empty."""

    function = "jr_assignment_complete"
    documents = ("note",)

    job: str
    assignment: str
    request_id: str = ""
    note: str = ""


class AssignmentClose(Command, frozen=True):
    """close_at: epoch ms; 0 or a past time = now."""

    function = "jr_assignment_close"
    documents = ("note",)

    job: str
    assignment: str
    disposition: str = ""
    close_at: int = 0
    request_id: str = ""
    note: str = ""


class AssignmentUnassign(Command, frozen=True):
    function = "jr_assignment_unassign"

    job: str
    assignment: str
    suspend: bool = False
    request_id: str = ""
