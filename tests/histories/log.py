"""The log of calls of one tenant, as entries."""

from __future__ import annotations

import itertools
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec

from engine.commands import Command
from engine.store import named
from tests.operations import COMMANDS

Reply = dict[str, Any]

DUE = "due"


@dataclass(frozen=True)
class Entry:
    """One call, or (``call`` is DUE) the rows of the agenda that one has done before its own work.

    ``op`` is the last op number after it, ``before`` that before it, ``at`` its time in epoch ms.
    """

    op: int
    place: int
    """Which of the entries with this number it is."""
    before: int
    at: int
    call: str
    control: str = "{}"
    documents: list[str] = field(default_factory=list)
    reply: Reply | None = None
    refused: str = ""
    done: int = 0

    @classmethod
    def of(cls, key: str, fields: Mapping[str, str]) -> Entry:
        """An entry as XRANGE gives it."""
        op, _, place = key.partition("-")
        documents = itertools.takewhile(fields.__contains__, map("document{}".format, itertools.count(1)))
        return cls(
            op=int(op),
            place=int(place),
            before=int(fields["before"]),
            at=int(fields["at"]),
            call=fields["call"],
            control=fields.get("control", "{}"),
            documents=[fields[name] for name in documents],
            reply=_named(fields["reply"]) if "reply" in fields else None,
            refused=fields.get("refused", ""),
            done=int(fields.get("done", 0)),
        )

    @property
    def tag(self) -> str:
        """What its caller has sent behind the documents to know it again, or nothing."""
        beyond = self.documents[len(COMMANDS[self.call].documents) :] if self.call != DUE else []
        return beyond[0] if beyond else ""

    @property
    def command(self) -> Command:
        """The command that was called; only for one of a kind that is known."""
        kind = COMMANDS[self.call]
        documents = zip(kind.documents, self.documents, strict=False)
        return msgspec.convert({**json.loads(self.control), **dict(documents)}, kind)


def _named(text: str) -> Reply:
    flat = json.loads(text)
    # Lua has one table for lists and objects: an empty one is told as an object
    return named([[] if value == {} else value for value in flat])


def entries(client: Any, root: str, after: str = "", count: int = 1_000) -> list[tuple[str, Entry]]:
    """The next entries of a log with their keys, after that key; ``client`` is a redis.Redis."""
    found = client.xrange(f"{root}:oplog", f"({after}" if after else "-", "+", count)
    return [(key, Entry.of(key, fields)) for key, fields in found]
