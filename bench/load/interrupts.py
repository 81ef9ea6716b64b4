"""Ctrl-C and its like as KeyboardInterrupt, but never in the middle of what must not be torn."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Iterator
from types import FrameType

ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

_held = 0
_asked = False
_told = False


@contextlib.contextmanager
def interruptible() -> Iterator[None]:
    """Within the block all that asks a program to end raises KeyboardInterrupt, once: then it takes down."""
    global _asked, _told
    _asked = _told = False
    before = {number: signal.signal(number, _interrupt) for number in ENDING}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextlib.contextmanager
def untorn() -> Iterator[None]:
    """What asks to end waits for the end of the block: a process that has just been started must be noted."""
    global _held
    _held += 1
    try:
        yield
    finally:
        _held -= 1
    if _asked:
        _end()


def _interrupt(number: int, frame: FrameType | None) -> None:
    global _asked
    _asked = True
    _end()


def _end() -> None:
    global _told
    if not _held and not _told:
        _told = True
        raise KeyboardInterrupt
