"""Pages of lists, and the outbox as our own pages of events."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from msgspec import UNSET, UnsetType

from api.wire.values import encode


class _Page(msgspec.Struct, rename="camel"):
    value: list[msgspec.Raw]
    next_link: str | UnsetType


def page(rows: Sequence[bytes], next_link: str) -> bytes:
    """One page; the last has no link."""
    return encode(_Page([msgspec.Raw(row) for row in rows], next_link or UNSET))


class _Entry(msgspec.Struct, rename="camel"):
    id: str
    call: str
    request_id: str | UnsetType
    previous: str | UnsetType
    events: list[msgspec.Raw]


class _EventPage(msgspec.Struct, rename="camel"):
    value: list[_Entry]
    next: str | UnsetType
    oldest: str | UnsetType


def entry_id(number: int) -> str:
    """The id of an entry, as the stream has it."""
    return f"{number}-0"


def events(rows: Sequence[Mapping[str, Any]], following: int, oldest: int) -> bytes:
    """A page of the outbox: each entry with the payloads of its events.

    ``following`` is the number after which the next page goes on, 0 when there is nothing new.
    """
    return encode(
        _EventPage(
            [_entry(row) for row in rows],
            entry_id(following) if following else UNSET,
            entry_id(oldest) if oldest else UNSET,
        )
    )


def _entry(row: Mapping[str, Any]) -> _Entry:
    previous = int(row.get("prev") or 0)
    return _Entry(
        entry_id(int(row["op"])),
        row.get("call", ""),
        row.get("request") or UNSET,
        entry_id(previous) if previous else UNSET,
        [msgspec.Raw(payload.encode()) for payload in row["events"][1::2]],
    )
