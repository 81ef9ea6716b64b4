"""Keeps what a measurement has started from outliving it, even if that is killed without a word (Linux)."""

from __future__ import annotations

import ctypes
import signal
import sys
from collections.abc import Callable

_PR_SET_PDEATHSIG = 1


def with_us() -> Callable[[], None] | None:
    """For ``preexec_fn``: the system ends the process when the thread that started it is gone; else None."""
    if sys.platform != "linux":
        return None
    # nothing may be loaded between fork and exec
    prctl = ctypes.CDLL(None).prctl

    def ask() -> None:
        prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)

    return ask
