"""Embedded servers that outlived the process that started them."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import logging
import os
import signal
import subprocess
from pathlib import Path

log = logging.getLogger("jobrouter.embedded")

ASK_SECONDS = 5.0
REWRITE_SECONDS = 60.0
_LOOK_SECONDS = 0.01


class StillRuns(Exception):
    """A server of the folder cannot be ended."""


def take_lock(folder: Path) -> int:
    """A descriptor with the lock that a server inherits and holds as long as it lives. Raises StillRuns."""
    lock = os.open(folder / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(lock)
        raise StillRuns(
            f"A server still runs in {folder}: end the process {_pid_in(folder) or ''}."
        ) from None
    return lock


async def shut_down(folder: Path) -> None:
    """Ends a server that was left in the folder, so that its data is complete; kills it when it hangs."""
    if not _is_held(folder):
        return
    log.warning("the embedded server of a killed process still runs and is shut down")
    socket = recorded_socket(folder)
    if socket is not None:
        await ask(socket, "SHUTDOWN")
    if await _is_released(folder):
        return
    pid = _pid_in(folder)
    if pid and socket is not None and _is_server_of(pid, socket):
        log.error("it does not answer and is killed (process %d)", pid)
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    # what still holds the lock may be a child that finishes a rewrite of the log
    await _is_released(folder, REWRITE_SECONDS)
    os.close(take_lock(folder))


def recorded_socket(folder: Path) -> Path | None:
    """The socket of the server that was last started in the folder."""
    try:
        return Path((folder / "socket").read_text().strip())
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError, UnicodeDecodeError):
        return None


async def ask(socket: Path, command: str) -> bytes:
    """The first line of a server's answer to a command without arguments; empty when there is none."""
    try:
        async with asyncio.timeout(ASK_SECONDS):
            reader, writer = await asyncio.open_unix_connection(socket)
            try:
                writer.write(f"{command}\r\n".encode())
                return (await reader.readline()).rstrip()
            finally:
                writer.close()
                with contextlib.suppress(OSError):
                    await writer.wait_closed()
    except (OSError, TimeoutError):
        return b""


async def _is_released(folder: Path, seconds: float = ASK_SECONDS) -> bool:
    deadline = asyncio.get_running_loop().time() + seconds
    while _is_held(folder):
        if asyncio.get_running_loop().time() > deadline:
            return False
        await asyncio.sleep(_LOOK_SECONDS)
    return True


def _is_held(folder: Path) -> bool:
    try:
        os.close(take_lock(folder))
    except StillRuns:
        return True
    return False


def _is_server_of(pid: int, socket: Path) -> bool:
    # the recorded number may belong to another process by now; a server's title names its socket
    try:
        title = Path(f"/proc/{pid}/cmdline").read_bytes()
    except FileNotFoundError:
        listed = ["ps", "-o", "command=", "-p", str(pid)]
        title = subprocess.run(listed, capture_output=True, check=False).stdout
    return os.fsencode(socket) in title


def _pid_in(folder: Path) -> int:
    try:
        return int((folder / "pid").read_text())
    except (FileNotFoundError, ValueError):
        return 0
