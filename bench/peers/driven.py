"""A peer whose own client drives it: a process that is asked line by line.

It is told ``start``, ``{"jobs": …, "body": …}`` and ``stop``, and answers each by a line of one word. Its
workers are there between start and stop alone, so that nobody else's rounds are disturbed.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from typing import IO

from bench import dying
from bench.load.processes import end, lines

LONGEST_SECONDS = 600.0
"""Then it is killed, whatever it does."""


class Driven:
    """The process. What it is asked raises RuntimeError with its last words if it has ended."""

    def __init__(self, name: str, command: Sequence[str], variables: Mapping[str, str], errors: IO[bytes]):
        self._name = name
        self._errors = errors
        self._process = subprocess.Popen(
            command,
            env={**os.environ, **variables},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            start_new_session=True,
            preexec_fn=dying.with_us(),
        )
        self._answers = lines(self._process, LONGEST_SECONDS)

    def ask(self, line: str, answer: str) -> None:
        """Says a line and waits for the answer."""
        assert self._process.stdin
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.write(f"{line}\n".encode())
            self._process.stdin.flush()
        if (said := next(self._answers, "").strip()) != answer:
            self._errors.seek(0)
            words = self._errors.read().decode(errors="replace").strip()[-2000:]
            raise RuntimeError(f"{self._name} has answered {said or 'nothing'} to {line[:40]}:\n{words}")

    def close(self) -> None:
        """Ends it."""
        end(self._process)
        self._answers.close()
        assert self._process.stdin
        # what could not be said any more is not said
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.close()


@contextlib.contextmanager
def driven(name: str, command: Sequence[str], variables: Mapping[str, str]) -> Iterator[Driven]:
    """Runs the process."""
    with (
        tempfile.TemporaryFile() as errors,
        contextlib.closing(Driven(name, command, variables, errors)) as it,
    ):
        yield it
