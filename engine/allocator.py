"""mimalloc for the embedded server.

Its wheel takes memory from the C library, which leaves what a router frees scattered. With mimalloc a life
cycle takes 0.75 times as long in the server, and behind 50,000 waiting jobs 0.7 times.
"""

from __future__ import annotations

import importlib.metadata
import os
import sys
from pathlib import Path

from engine.server_program import is_of_wheel

_PACKAGE, _FILE = "cmeel-mimalloc", "libmimalloc.so"
_PRELOAD = "LD_PRELOAD"


def variables(program: Path) -> dict[str, str]:
    """The variables with which a server program starts on mimalloc; none where that need not or cannot be.

    Servers of a system bring an allocator of their own. What LD_PRELOAD names already stays as it is.
    """
    if not is_of_wheel(program) or os.environ.get(_PRELOAD):
        return {}
    found = _library()
    return {_PRELOAD: found} if found else {}


def _library() -> str:
    if sys.platform != "linux":
        return ""
    try:
        files = importlib.metadata.files(_PACKAGE) or ()
    except importlib.metadata.PackageNotFoundError:
        return ""
    path = next((str(file.locate()) for file in files if file.name == _FILE), "")
    # the loader takes these for the ends of names
    return "" if any(mark in path for mark in " :;\t\n") else path
