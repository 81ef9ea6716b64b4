"""One pipelining connection: commands packed in batches, two batches in flight so that no side waits."""

from __future__ import annotations

import itertools
import socket
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, NamedTuple, cast

import hiredis

DEPTH = 16
RECEIVE_BYTES = 1 << 18

Word = bytes | str | int | float


_pack = cast(Callable[[tuple[Word, ...]], bytes], hiredis.pack_command)


class Batch(NamedTuple):
    """Packed commands that are sent in one write."""

    packed: bytes
    commands: int


def batches(commands: Iterable[tuple[Word, ...]], depth: int = DEPTH) -> list[Batch]:
    """Commands packed ahead of time, so that packing does not count."""
    packed = (_pack(command) for command in commands)
    parts = iter(lambda: list(itertools.islice(packed, depth)), [])
    return [Batch(b"".join(part), len(part)) for part in parts]


class Client:
    """A blocking connection to a unix socket; an error reply is raised as RuntimeError."""

    def __init__(self, path: Path) -> None:
        self._socket = socket.socket(socket.AF_UNIX)
        try:
            self._socket.connect(str(path))
        except OSError:
            self._socket.close()
            raise
        self._reader = hiredis.Reader(encoding="utf-8", errors="surrogateescape")

    def close(self) -> None:
        """Closes the connection."""
        self._socket.close()

    def call(self, *words: Word) -> Any:
        """One command and its reply."""
        return self.run(batches([words]))[0]

    def run(self, work: list[Batch]) -> list[Any]:
        """Sends the batches, never more than two unanswered; the replies in order."""
        replies: list[Any] = []
        for i, batch in enumerate(work):
            self.send(batch)
            if i:
                self.receive(replies, work[i - 1].commands)
        if work:
            self.receive(replies, work[-1].commands)
        return replies

    def send(self, batch: Batch) -> None:
        """Sends a batch, whose replies are to be received."""
        self._socket.sendall(batch.packed)

    def receive(self, replies: list[Any], count: int) -> None:
        """Adds the next replies."""
        wanted = len(replies) + count
        while len(replies) < wanted:
            reply = self._reader.gets()
            if reply is False:
                self._reader.feed(self._socket.recv(RECEIVE_BYTES))
            elif isinstance(reply, Exception):
                raise RuntimeError(str(reply)) from reply
            else:
                replies.append(reply)
