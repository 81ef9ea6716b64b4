"""One router under measurement: a server with the library and the yardsticks, and a tenant in it."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec

from bench import meters, yardsticks
from bench.client import Batch, Client, Word, batches
from bench.crowd import Crowd
from bench.server import server
from engine.commands import Command, RouterStatus
from engine.library import library

BUILD_DEPTH = 64
BUILD_CHUNK = 8192
EVENTS_AT_ONCE = 1000


class Offer(msgspec.Struct, frozen=True, rename="camel"):
    """What the events of an offer tell."""

    job_id: str
    worker_id: str
    offer_id: str
    expires_on: datetime | None = None


class _Event(msgspec.Struct, frozen=True):
    data: Offer


_event = msgspec.json.Decoder(_Event)

ISSUED = "RouterWorkerOfferIssued"
EXPIRED = "RouterWorkerOfferExpired"


class Site:
    """A tenant behind one connection. ``serial`` numbers what traffic makes; ``now`` 0 is the real time."""

    def __init__(self, client: Client, root: str = "jr:{main}", url: str = "") -> None:
        self.client = client
        self.url = url
        self.meter = meters.Meter(client)
        self.root = root
        self.now = 0
        self.serial = 0

    def take_serials(self, count: int) -> range:
        """Numbers that nobody has used."""
        first = self.serial
        self.serial += count
        return range(first, self.serial)

    def words(self, command: Command) -> tuple[Word, ...]:
        """A command as it goes to the server, at ``now``: the server's own clock unless it was set."""
        call = "FCALL" if command.write else "FCALL_RO"
        return (call, command.function, 1, self.root, self.now, *command.arguments())

    def packed(self, commands: Iterable[Command], **depth: int) -> list[Batch]:
        """Commands in batches, ready to be sent."""
        return batches(map(self.words, commands), **depth)

    def build(self, commands: Iterable[Command]) -> None:
        """Runs many commands whose replies do not matter, a bounded number packed at a time."""
        rest = iter(commands)
        while work := self.packed(itertools.islice(rest, BUILD_CHUNK), depth=BUILD_DEPTH):
            self.client.run(work)

    def run(self, command: Command) -> dict[str, Any]:
        """One command and its reply."""
        return reply(self.client.run(self.packed([command]))[0])

    def op(self) -> int:
        """The present op number."""
        return int(self.run(RouterStatus())["op"])

    def offers_since(self, op: int) -> list[Offer]:
        """The offers issued after an op, in order."""
        found: list[Offer] = []
        key, start = f"{self.root}:events", f"({op}-0"
        while entries := self.client.call("XRANGE", key, start, "+", "COUNT", EVENTS_AT_ONCE):
            found += offers_in(entries, ISSUED)
            start = f"({entries[-1][0]}"
        return found

    def forget_events(self) -> None:
        """Empties the event stream, which else grows through all rounds."""
        self.client.call("XTRIM", f"{self.root}:events", "MAXLEN", 0)


def offers_in(entries: list[Any], kind: str) -> Iterator[Offer]:
    """The offers that events of one kind in entries of the outbox tell of."""
    for _, fields in entries:
        for name, text in zip(fields[::2], fields[1::2], strict=True):
            if name == kind:
                yield _event.decode(text).data


def reply(flat: list[Any]) -> dict[str, Any]:
    """A flat reply as a dict."""
    return dict(zip(flat[::2], flat[1::2], strict=True))


@contextlib.contextmanager
def site(
    program: Path | None = None,
    cpu: int | None = None,
    *,
    options: Mapping[str, str] | None = None,
    clients: int = 1,
) -> Iterator[Site]:
    """A fresh server with everything loaded, and so many pipelining clients that act as one."""
    with (
        server(program, cpu, options=options) as socket,
        contextlib.closing(Client(socket) if clients == 1 else Crowd(socket, clients)) as client,
    ):
        client.call("FUNCTION", "LOAD", library().source)
        yardsticks.load(client)
        meters.slow_calls(client)
        yield Site(client, url=f"unix://{socket}")
