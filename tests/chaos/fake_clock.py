"""A server's clock that can be set while it runs, by libfaketime (Debian's package faketime).

The embedded server starts under it; servers that are built with jemalloc do not.
"""

from __future__ import annotations

from pathlib import Path

from tests.chaos.proofs import Missing

_PLACES = ("/usr/lib/*/faketime", "/usr/lib/faketime", "/usr/local/lib/faketime")


class FakeClock:
    """The clock of one server; ``variables`` are for its environment. Raises Missing without libfaketime."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / "clock"
        self.set(0)
        self.variables = {
            "LD_PRELOAD": str(_library()),
            "FAKETIME_TIMESTAMP_FILE": str(self._file),
            "FAKETIME_NO_CACHE": "1",
            # a clock that is set leaves the monotonic one alone
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        }

    def set(self, seconds: int) -> None:
        """From now on it is so far ahead of the real one."""
        draft = self._file.with_suffix(".new")
        draft.write_text(f"{seconds:+d}\n")
        draft.replace(self._file)


def _library() -> Path:
    for place in _PLACES:
        root, _, pattern = place[1:].partition("/")
        for found in Path("/", root).glob(f"{pattern}/libfaketimeMT.so.1"):
            return found
    raise Missing("libfaketime is missing: apt-get install faketime")
