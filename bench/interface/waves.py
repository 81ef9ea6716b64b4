"""A closed loop of ready requests: so many connections, one request at a time on each.

The requests are packed and signed before, and an answer is looked at only as far as its length, so that the
generator takes little of the machine that it shares with what it measures.
"""

from __future__ import annotations

import select
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from bench.http import Connection

CONNECTIONS = 64
_END = b"\r\n\r\n"
_LENGTH = b"\r\ncontent-length: "


class Wave(NamedTuple):
    """What a wave has come to: requests, seconds, processor time of the API and of the store in ns."""

    requests: int = 0
    seconds: float = 0.0
    api_ns: int = 0
    store_ns: int = 0

    def plus(self, other: Wave) -> Wave:
        """Both together."""
        return Wave(*(a + b for a, b in zip(self, other, strict=True)))


class Crowd:
    """Open connections to one server. ``api`` and ``store`` are processes whose processor time is told."""

    def __init__(self, port: int, api: Sequence[int], store: Sequence[int], size: int) -> None:
        self.port = port
        self._api = api
        self._store = store
        self._wires = [Connection(port).socket for _ in range(size)]
        self._poll = select.epoll()
        for wire in self._wires:
            self._poll.register(wire, select.EPOLLIN)

    def close(self) -> None:
        """Closes them all."""
        self._poll.close()
        for wire in self._wires:
            wire.close()

    def run(self, requests: Sequence[bytes]) -> tuple[Wave, list[bytes]]:
        """Sends all requests, each when a connection is free; the answers in the order of the requests.

        Raises RuntimeError for an answer that is no success.
        """
        api, store = processor_ns(self._api), processor_ns(self._store)
        started = time.perf_counter()
        answers = self._answers(requests)
        seconds = time.perf_counter() - started
        wave = Wave(len(requests), seconds, processor_ns(self._api) - api, processor_ns(self._store) - store)
        for answer in answers:
            if not answer.startswith(b"HTTP/1.1 2"):
                raise RuntimeError(f"not done: {answer[:500]!r}")
        return wave, answers

    def _answers(self, requests: Sequence[bytes]) -> list[bytes]:
        wires = {wire.fileno(): wire for wire in self._wires}
        asked: dict[int, int] = {}
        parts: dict[int, bytes] = {}
        answers = [b""] * len(requests)
        sent = left = min(len(requests), len(wires))
        for number, (fd, wire) in zip(range(sent), wires.items(), strict=False):
            asked[fd] = number
            wire.sendall(requests[number])
        left = len(requests)
        while left:
            for fd, _ in self._poll.poll():
                wire = wires[fd]
                data = wire.recv(1 << 16)
                if not data:
                    raise RuntimeError(f"the server closed a connection: {parts.get(fd, b'')[-500:]!r}")
                if fd in parts:
                    data = parts.pop(fd) + data
                if not _is_whole(data):
                    parts[fd] = data
                    continue
                answers[asked[fd]] = data
                left -= 1
                if sent < len(requests):
                    asked[fd] = sent
                    wire.sendall(requests[sent])
                    sent += 1
        return answers


def _is_whole(answer: bytes) -> bool:
    end = answer.find(_END)
    if end < 0:
        return False
    start = answer.find(_LENGTH, 0, end)
    size = int(answer[start + len(_LENGTH) : answer.index(b"\r", start + 2)]) if start >= 0 else 0
    return len(answer) >= end + len(_END) + size


def body_of(answer: bytes) -> bytes:
    """The body of an answer."""
    return answer.partition(_END)[2]


def processor_ns(pids: Sequence[int]) -> int:
    """How long the threads of processes have had a processor, in ns (Linux; elsewhere 0)."""
    files = (file for pid in pids for file in Path(f"/proc/{pid}/task").glob("*/schedstat"))
    return sum(int(file.read_text().split()[0]) for file in files)
