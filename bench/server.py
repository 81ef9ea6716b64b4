"""A private server for one measurement: set up as the embedded one, but mostly without persistence."""

from __future__ import annotations

import contextlib
import os
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

from bench import dying
from bench.client import Client
from engine.embedded import OPTIONS, environment
from engine.server_program import find_program

# What takes over 5 ms goes to the slow log.
MEASURED = {**OPTIONS, "appendonly": "no", "slowlog-log-slower-than": "5000", "slowlog-max-len": "10000"}
START_SECONDS = 10.0


@contextlib.contextmanager
def server(
    program: Path | None = None,
    cpu: int | None = None,
    *,
    persistent: bool = False,
    options: Mapping[str, str] | None = None,
) -> Iterator[Path]:
    """Runs a server, on one processor or as persistent as the embedded one if asked; yields its socket.

    ``options`` are options of the server that differ from these.
    """
    with tempfile.TemporaryDirectory(prefix="bench") as folder:
        socket = Path(folder) / "s"
        all_options = {**(OPTIONS if persistent else MEASURED), **(options or {})}
        words = [word for name, value in all_options.items() for word in (f"--{name}", value)]
        program = program or find_program()
        command = [str(program), "--unixsocket", str(socket), *words]
        # a Ctrl-C is not for it: what it serves is taken down first
        process = subprocess.Popen(
            command,
            cwd=folder,
            env=environment(program),
            stdout=subprocess.DEVNULL,
            start_new_session=True,
            preexec_fn=dying.with_us(),
        )
        try:
            if cpu is not None:
                os.sched_setaffinity(process.pid, {cpu})
            _wait(process, socket)
            yield socket
        finally:
            process.kill()
            process.wait()


def _wait(process: subprocess.Popen[bytes], socket: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        if process.poll() is not None:
            break
        with contextlib.suppress(OSError), contextlib.closing(Client(socket)) as client:
            client.call("PING")
            return
        time.sleep(0.01)
    raise RuntimeError(f"the server did not start: {process.args!r}")
