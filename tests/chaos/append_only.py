"""The append-only file of a private server: where it is, and copies of it that end early."""

from __future__ import annotations

import shutil
from pathlib import Path

FOLDER = "appendonlydir"


def growing(folder: Path) -> Path:
    """The file of a server's directory that is appended to."""
    (found,) = (folder / FOLDER).glob("*.incr.aof")
    return found


def cut_copy(folder: Path, to: Path, size: int) -> None:
    """Copies what a server needs to start, with the file that was appended to cut after so many bytes."""
    name = growing(folder).name
    (to / FOLDER).mkdir()
    for file in (folder / FOLDER).iterdir():
        if file.name != name:
            shutil.copy(file, to / FOLDER)
    with growing(folder).open("rb") as whole, (to / FOLDER / name).open("wb") as part:
        part.write(whole.read(size))
