"""Background work that goes on until it is cancelled, whatever happens to it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

PAUSE_SECONDS = 0.1
LONGEST_PAUSE_SECONDS = 2.0
"""Before it is begun anew: short at first, then doubled, until it has lasted for longer than that."""

TOLD_SECONDS = 60.0
"""The shortest time between two lines of the log about failures of one kind."""


async def unending(work: Callable[[], Awaitable[object]], name: str, log: logging.Logger) -> None:
    """Does work that has no end: when it fails, or ends all the same, it is begun anew after a pause.

    It deals by itself with what it expects to fail. What comes here nobody has foreseen, and nobody waits
    for the task of such work: it would be over without a word.
    """
    loop = asyncio.get_running_loop()
    told: dict[type[BaseException], float] = {}
    pause = PAUSE_SECONDS
    while True:
        began = loop.time()
        try:
            await work()
            failure: BaseException = RuntimeError("it has ended")
        except Exception as error:
            failure = error
        except asyncio.CancelledError as error:
            task = asyncio.current_task()
            if task is None or task.cancelling():
                raise
            # not we: something that it waited for
            failure = error
        now, kind = loop.time(), type(failure)
        if now >= told.get(kind, now):
            told[kind] = now + TOLD_SECONDS
            log.error("%s: failed, going on", name, exc_info=failure)
        if now - began > LONGEST_PAUSE_SECONDS:
            pause = PAUSE_SECONDS
        await asyncio.sleep(pause)
        pause = min(LONGEST_PAUSE_SECONDS, 2 * pause)
