"""What the server says about itself: time and redis.calls of functions, memory, slow calls."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from bench.client import Batch, Client

# The kernel brings a thread's processor time up to date when the thread goes to sleep.
SETTLE_SECONDS = 0.0002

FUNCTION_CALLS = frozenset({"fcall", "fcall_ro"})

_T = TypeVar("_T")


class Cost(NamedTuple):
    """What a number of calls have cost, of functions or of whatever else a client sends.

    ``microseconds`` are the server's own count, ``commands`` the redis.calls inside, ``processor_ns`` what
    the system says of the server's thread (0 where it does not tell), ``seconds`` the client's clock.
    """

    calls: float = 0
    microseconds: float = 0
    commands: float = 0
    processor_ns: float = 0
    seconds: float = 0

    def plus(self, other: Cost) -> Cost:
        """The cost of both."""
        return Cost(*(a + b for a, b in zip(self, other, strict=True)))

    def minus(self, other: Cost) -> Cost:
        """What is left without the other."""
        return Cost(*(a - b for a, b in zip(self, other, strict=True)))


def info(client: Client, section: str) -> dict[str, str]:
    """One section of INFO."""
    lines = client.call("INFO", section).splitlines()
    return dict(line.split(":", 1) for line in lines if ":" in line)


class Meter:
    """Measures calls: on the client's clock, by the server's counters, by its processor time.

    ``sent`` are the commands that clients send, in small letters; all others are made inside of these.
    """

    def __init__(self, client: Client, sent: frozenset[str] = FUNCTION_CALLS) -> None:
        self._client = client
        self._sent = {f"cmdstat_{name}" for name in sent}
        pid = info(client, "server")["process_id"]
        self._schedstat = Path(f"/proc/{pid}/task/{pid}/schedstat")
        self.tells_processor = self._schedstat.exists()

    def run(self, work: list[Batch]) -> tuple[list[Any], Cost]:
        """Runs calls, nothing else; their replies and their cost."""
        return self.of(lambda: self._client.run(work))

    def of(self, work: Callable[[], _T]) -> tuple[_T, Cost]:
        """What any work gives, and what it costs the server, whoever its clients are."""
        before = self._counters()
        processor = self._processor_ns()
        started = time.perf_counter()
        found = work()
        seconds = time.perf_counter() - started
        processor = self._processor_ns() - processor
        cost = self._counters().minus(before)
        return found, cost._replace(processor_ns=processor, seconds=seconds)

    def _counters(self) -> Cost:
        calls = microseconds = commands = 0
        for name, text in info(self._client, "commandstats").items():
            values = dict(pair.split("=") for pair in text.split(","))
            if name in self._sent:
                calls += int(values["calls"])
                microseconds += int(values["usec"])
            elif name != "cmdstat_info":
                commands += int(values["calls"])
        return Cost(calls, microseconds, commands)

    def _processor_ns(self) -> int:
        """How long the server's thread has had a processor (Linux only); waiting for one does not count."""
        time.sleep(SETTLE_SECONDS)
        return int(self._schedstat.read_text().split()[0]) if self.tells_processor else 0


def used_memory(client: Client) -> int:
    """Bytes that the server's data take."""
    return int(info(client, "memory")["used_memory"])


def slow_calls(client: Client) -> dict[str, float]:
    """Function → its slowest call in milliseconds, of those in the slow log; empties the log."""
    slowest: dict[str, float] = {}
    for entry in client.call("SLOWLOG", "GET", -1):
        words: list[Any] = entry[3]
        if words[0].upper().startswith("FCALL"):
            slowest[words[1]] = max(slowest.get(words[1], 0.0), entry[2] / 1000)
    client.call("SLOWLOG", "RESET")
    return slowest
