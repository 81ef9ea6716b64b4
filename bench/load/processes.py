"""Processes that are gone after their block, whatever ends it: each is ended by its own id."""

from __future__ import annotations

import os
import subprocess
import threading
from collections.abc import Generator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import IO

from bench import dying
from bench.load.interrupts import untorn

ROOT = Path(__file__).parents[2]
END_SECONDS = 6.0


class Processes:
    """What was started, ended in the opposite order; their errors go to files of a folder."""

    def __init__(self, logs: Path) -> None:
        self._logs = logs
        self.running: dict[str, subprocess.Popen[bytes]] = {}
        """By name, in the order of their starts."""

    def __enter__(self) -> Processes:
        return self

    def __exit__(self, kind: type[BaseException] | None, value: object, trace: TracebackType | None) -> None:
        with untorn():
            for process in reversed(self.running.values()):
                process.terminate()
            for process in reversed(self.running.values()):
                end(process)

    def start(
        self,
        name: str,
        command: Sequence[str],
        variables: Mapping[str, str],
        *,
        piped: bool = False,
        fds: Sequence[int] = (),
    ) -> subprocess.Popen[bytes]:
        """Starts one under a name that no other has.

        A session of its own keeps a Ctrl-C from it: it is we who end it, in order. Should we be killed, the
        system ends it, where it can.
        """
        kept = {key: value for key, value in os.environ.items() if not key.startswith("JOBROUTER_")}
        with untorn(), (self._logs / f"{name}.log").open("ab") as log:
            process = subprocess.Popen(
                command,
                cwd=ROOT,
                env={**kept, **variables},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE if piped else log,
                stderr=log,
                pass_fds=fds,
                start_new_session=True,
                preexec_fn=dying.with_us(),
            )
            self.running[name] = process
        return process

    def kill(self, name: str) -> None:
        """Kills one without a word; another may be started under its name."""
        process = self.running.pop(name)
        process.kill()
        process.wait()
        if process.stdout:
            process.stdout.close()

    def forget(self, name: str) -> None:
        """One has ended as it should."""
        del self.running[name]

    def check(self) -> None:
        """Raises RuntimeError when one has ended by itself."""
        for name, process in self.running.items():
            if process.poll() is not None:
                raise RuntimeError(
                    f"{name} has ended with {process.returncode}: see {name}.log in the report"
                )


def end(process: subprocess.Popen[bytes]) -> None:
    """Ends one process, kindly at first."""
    process.terminate()
    try:
        process.wait(END_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    if process.stdout:
        process.stdout.close()


def lines(process: subprocess.Popen[bytes], seconds: float) -> Generator[str, None, None]:
    """What a process prints; after so many seconds it is killed, which ends its lines."""
    assert process.stdout
    stdout: IO[bytes] = process.stdout
    timer = threading.Timer(seconds, process.kill)
    timer.start()
    try:
        for line in stdout:
            yield line.decode()
    finally:
        timer.cancel()
