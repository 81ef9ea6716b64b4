"""The data directory of a running router: one process holds it for life, its files are for its owner only."""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Self


class Held(Exception):
    """Another process holds the directory; the text says which."""


class Unusable(Exception):
    """The directory, or what lies in it, is not what it must be; the text says what and why."""


@contextlib.contextmanager
def usable(path: Path) -> Iterator[None]:
    """A block that works in the data directory, or a folder in it. Raises Unusable for its OSErrors."""
    try:
        yield
    except OSError as error:
        place = f"{error.filename}: " if error.filename else ""
        raise Unusable(
            f"The data directory {path} cannot be used: {place}{error.strerror or error}."
        ) from None


class DataDirectory:
    """A directory that is locked while it is open. Raises Held when another process has it, Unusable."""

    def __init__(self, path: Path) -> None:
        self.path = path.absolute()
        with usable(self.path):
            self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._lock = os.open(self.path / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            holder = os.pread(self._lock, 100, 0).decode("ascii", "replace").strip() or "another process"
            os.close(self._lock)
            raise Held(f"The data directory {self.path} is in use by {holder}.") from None
        os.ftruncate(self._lock, 0)
        os.pwrite(self._lock, f"process {os.getpid()}\n".encode(), 0)

    def folder(self, name: str) -> Path:
        """A folder in it that only the owner can enter. Raises Unusable."""
        folder = self.path / name
        with usable(self.path):
            folder.mkdir(mode=0o700, exist_ok=True)
            folder.chmod(0o700)
        return folder

    def close(self) -> None:
        """Lets others have the directory."""
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def write_private(path: Path, content: bytes) -> None:
    """Writes a file that only its owner can read; a reader sees all of it or nothing."""
    draft = path.with_name(path.name + ".new")
    draft.unlink(missing_ok=True)
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)
