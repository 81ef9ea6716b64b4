"""The embedded server: a private Valkey on a unix socket, with its data in the data directory.

It is started anew when it dies. While it lives it holds a lock of its own, inherited from the process that
started it: so a server that a killed router has left is known for certain, and is shut down before a new one
starts.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import tempfile
from pathlib import Path
from urllib.parse import quote

from engine import allocator, leftover
from engine.data_directory import DataDirectory, usable, write_private
from engine.sharing import to_its_end
from engine.unending import unending

log = logging.getLogger("jobrouter.embedded")

LONGEST_SOCKET = 100
"""Bytes of a socket's path; the systems' limit is 104 to 108."""

OPTIONS = {
    "port": "0",
    "unixsocketperm": "700",
    "daemonize": "no",
    "save": "",
    "appendonly": "yes",
    "appendfsync": "everysec",
    "maxmemory-policy": "noeviction",
    "notify-keyspace-events": "K$x",
    "zset-max-listpack-entries": "16",
    "hash-max-listpack-value": "1024",
    "loglevel": "warning",
}

STOP_SECONDS = 4.0
_LOOK_SECONDS = 0.01
_TOLD_SECONDS = 0.5


class DidNotStart(Exception):
    """The server has ended while it started; the text says where its log is."""


def environment(program: Path) -> dict[str, str]:
    """The variables that a server program is started with."""
    # texts are compared byte by byte, as on every other server
    return {**os.environ, "LC_ALL": "C", **allocator.variables(program)}


class Embedded:
    """One server in the folder ``server`` of a data directory."""

    def __init__(self, directory: DataDirectory, program: Path) -> None:
        self.folder = directory.folder("server")
        self.socket = _socket_in(self.folder)
        self.restarts = 0
        self._program = program
        self._process: asyncio.subprocess.Process | None = None
        self._watcher: asyncio.Task[None] | None = None

    @property
    def url(self) -> str:
        """Where the store finds it."""
        return f"unix://{quote(str(self.socket))}"

    @property
    def pid(self) -> int:
        """The server's process id, 0 when it does not run."""
        return self._process.pid if self._process and self._process.returncode is None else 0

    async def start(self) -> None:
        """Starts the server and waits until it answers. Raises DidNotStart, StillRuns, Unusable."""
        with usable(self.folder):
            await leftover.shut_down(self.folder)
            write_private(self.folder / "socket", str(self.socket).encode())
        try:
            with usable(self.folder):
                await self._launch()
        except BaseException:
            await self.stop()
            raise
        watching = unending(self._watch, "looking after the embedded server", log)
        self._watcher = asyncio.create_task(watching)

    async def stop(self) -> None:
        """Shuts the server down; it has written everything when this returns, or is cancelled."""
        await to_its_end(self._end())

    async def _end(self) -> None:
        if self._watcher is not None:
            self._watcher.cancel()
            await asyncio.gather(self._watcher, return_exceptions=True)
        process = self._process
        if process is not None and process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.terminate()
            try:
                await asyncio.wait_for(process.wait(), STOP_SECONDS)
            except TimeoutError:
                log.error("the embedded server did not end in time and is killed")
                process.kill()
                await process.wait()
        self._remove_socket()

    async def _launch(self) -> None:
        self.socket.unlink(missing_ok=True)
        words = [word for name, value in OPTIONS.items() for word in (f"--{name}", value)]
        places = [
            "--dir",
            str(self.folder),
            "--unixsocket",
            str(self.socket),
            "--pidfile",
            str(self.folder / "pid"),
        ]
        lock = leftover.take_lock(self.folder)
        try:
            with (self.folder / "log").open("ab") as output:
                self._process = await asyncio.create_subprocess_exec(
                    self._program,
                    *words,
                    *places,
                    stdin=asyncio.subprocess.DEVNULL,
                    stdout=output,
                    stderr=output,
                    cwd=self.folder,
                    env=environment(self._program),
                    pass_fds=(lock,),
                )
        finally:
            os.close(lock)
        await self._wait_until_ready(self._process)

    async def _wait_until_ready(self, process: asyncio.subprocess.Process) -> None:
        while process.returncode is None:
            if await leftover.ask(self.socket, "PING") == b"+PONG":
                return
            await asyncio.sleep(_LOOK_SECONDS)
        raise DidNotStart(f"The embedded server did not start: its log is {self.folder / 'log'}.")

    async def _watch(self) -> None:
        failures = 0
        while True:
            assert self._process is not None
            status = await self._process.wait()
            if status == 0:
                # Ctrl-C reaches it before us: then we are about to be stopped as well
                await asyncio.sleep(_TOLD_SECONDS)
            log.error("the embedded server has ended (%s) and is started again", _meaning(status))
            self.restarts += 1
            if failures:
                await asyncio.sleep(min(1.0, 0.1 * 2**failures))
            try:
                await self._launch()
                failures = 0
            except (DidNotStart, OSError, leftover.StillRuns) as error:
                # a child that was rewriting the log holds the lock a little longer than its parent
                failures += 1
                log.error("%s", error)

    def _remove_socket(self) -> None:
        self.socket.unlink(missing_ok=True)
        if self.socket.parent != self.folder:
            with contextlib.suppress(OSError):
                self.socket.parent.rmdir()


def _socket_in(folder: Path) -> Path:
    socket = folder / "redis.sock"
    if len(os.fsencode(socket)) <= LONGEST_SOCKET:
        return socket
    return Path(tempfile.mkdtemp(prefix="jobrouter-")) / "redis.sock"


def _meaning(status: int) -> str:
    return f"status {status}" if status >= 0 else signal.Signals(-status).name
