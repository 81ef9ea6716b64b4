"""Tasks that go on when a caller goes away, and groups of tasks."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Coroutine
from typing import Any, TypeVar

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


@contextlib.asynccontextmanager
async def group_of_tasks() -> AsyncIterator[asyncio.TaskGroup]:
    """Tasks that end together; when one fails, the block raises what it has raised, and no group."""
    try:
        async with asyncio.TaskGroup() as group:
            yield group
    except BaseExceptionGroup as failures:
        raise failures.exceptions[0] from None


async def to_its_end(work: Coroutine[Any, Any, T]) -> T:
    """What short work gives. A caller that is cancelled meanwhile learns of it when the work is done."""
    task = asyncio.create_task(work)
    cancelled: asyncio.CancelledError | None = None
    while not task.done():
        try:
            await asyncio.wait({task})
        except asyncio.CancelledError as error:
            cancelled = error
    result = task.result()
    if cancelled is not None:
        raise cancelled
    return result
