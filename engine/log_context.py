"""What the lines of the log are about: set where work begins, and added to each line by the formatter."""

from __future__ import annotations

from contextvars import Context, ContextVar, copy_context

TENANT: ContextVar[str] = ContextVar("tenant", default="")
"""The router that the present task works for."""


def context_of(tenant: str) -> Context:
    """A context, for a task to run in, whose lines are about this router."""
    context = copy_context()
    context.run(TENANT.set, tenant)
    return context
