"""Background work that fails in ways that nobody has foreseen."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

import pytest

from engine import unending as module
from engine.unending import unending

log = logging.getLogger("test")


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PAUSE_SECONDS", 0.0)


def run(*steps: Callable[[], Awaitable[object]]) -> None:
    """Does one step after the other, each when the one before has failed; then it is cancelled."""

    async def work() -> None:
        left, last = list(steps), asyncio.Event()

        async def step() -> None:
            if not left:
                last.set()
                await asyncio.Event().wait()
            await left.pop(0)()

        task = asyncio.create_task(unending(step, "the work", log))
        await last.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(work())


def told(caplog: pytest.LogCaptureFixture) -> list[tuple[str, type[BaseException] | None]]:
    """What was logged, and the kind of failure."""
    return [
        (record.getMessage(), record.exc_info[0] if record.exc_info else None)
        for record in caplog.records
        if record.name == log.name
    ]


async def fails() -> None:
    raise KeyError("x")


async def fails_otherwise() -> None:
    raise AttributeError


async def ends() -> None:
    pass


async def is_cancelled_from_elsewhere() -> None:
    future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    future.cancel()
    await future


def test_it_goes_on_and_tells_each_kind_once(caplog: pytest.LogCaptureFixture) -> None:
    run(fails, fails, ends, is_cancelled_from_elsewhere, fails_otherwise, ends, fails)
    kinds = [KeyError, RuntimeError, asyncio.CancelledError, AttributeError]
    assert told(caplog) == [("the work: failed, going on", kind) for kind in kinds]


def test_what_lasts_is_told_of_again(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "TOLD_SECONDS", 0.0)
    run(fails, fails)
    assert len(told(caplog)) == 2
