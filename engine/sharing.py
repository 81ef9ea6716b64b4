"""Tasks that several wait for: one goes on when a caller goes away."""

from __future__ import annotations

import asyncio
from typing import TypeVar

from engine.errors import Unavailable

T = TypeVar("T")


async def outcome_of(task: asyncio.Task[T], ended: str) -> T:
    """What a task gives. Raises what it does, and Unavailable with this text when the task was cancelled."""
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        caller = asyncio.current_task()
        if not task.cancelled() or (caller is not None and caller.cancelling()):
            raise
        raise Unavailable(ended) from None
