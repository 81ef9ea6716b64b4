"""Entries of the outbox and their events, as the stream and ``jr_event_list`` give them.

An entry is one call with all its events; its number is its call's. Where an event stands is told by its
entry's number and by its place in that entry, from 1 on.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from engine.event_filters import About, EventFilters, about

_FRAME = frozenset({b"at", b"call", b"request", b"links", b"previous"})


class Event:
    """One event. ``frame`` is for who shows the same event to many: how it is shown, made once."""

    __slots__ = ("_about", "frame", "kind", "number", "payload", "place")

    def __init__(self, number: int, place: int, kind: str, payload: bytes) -> None:
        self.number = number
        self.place = place
        self.kind = kind
        self.payload = payload
        self.frame = b""
        self._about: About | None = None

    @property
    def about(self) -> About:
        """What it is about; read once."""
        if self._about is None:
            self._about = about(self.payload)
        return self._about

    def passes(self, filters: EventFilters) -> bool:
        """Whether somebody wants to hear of it."""
        if filters.look_inside:
            return filters.admits(self.kind, self.about)
        return not filters.types or self.kind in filters.types


class Entry(NamedTuple):
    """One call with its events; ``previous`` is the number of the entry before it, 0 for the first."""

    number: int
    previous: int
    at: str
    events: list[Event]


class Lost(Exception):
    """Entries that were asked for are not kept any more; ``oldest`` is the first that is, or will be."""

    def __init__(self, after: int, oldest: int) -> None:
        super().__init__(f"the entries after {after}-0 are not kept any more")
        self.after = after
        self.oldest = oldest


class NotReached(Lost):
    """A place that the log has not come to: it is of another log, or the store has been set back."""

    def __init__(self, after: int, oldest: int, last: int) -> None:
        super().__init__(after, oldest)
        self.last = last


def of_stream(entry_id: bytes, fields: Sequence[bytes]) -> Entry:
    """An entry as XREAD gives it: the id ``<number>-0``, and names and values in turn."""
    number = int(entry_id.partition(b"-")[0])
    named: dict[bytes, bytes] = {}
    events: list[Event] = []
    for name, value in zip(fields[::2], fields[1::2], strict=True):
        if name in _FRAME:
            named[name] = value
        else:
            events.append(Event(number, len(events) + 1, name.decode(), value))
    return Entry(number, int(named.get(b"previous", 0)), named.get(b"at", b"").decode(), events)


def of_texts(entry_id: str, fields: Sequence[str]) -> Entry:
    """The same, as the store's connection gives it."""
    return of_stream(entry_id.encode(), [as_bytes(field) for field in fields])


def as_bytes(text: str) -> bytes:
    """A payload as it is stored, from the text that the store gives."""
    return text.encode("utf-8", "surrogateescape")


def of_row(row: Mapping[str, Any]) -> Entry:
    """An entry as a row of ``jr_event_list`` gives it."""
    number, made = int(row["op"]), row["events"]
    pairs = zip(made[::2], made[1::2], strict=True)
    events = [Event(number, place, kind, as_bytes(text)) for place, (kind, text) in enumerate(pairs, 1)]
    return Entry(number, int(row.get("prev") or 0), row["at"], events)


def check_kept(after: int, reply: Mapping[str, Any]) -> None:
    """Refuses a reply of ``jr_event_list`` when the entry that followed ``after`` is not kept any more.

    The oldest entry names its predecessor. Raises Lost.
    """
    oldest, rows = int(reply["oldest"]), reply["rows"]
    cut = bool(rows) and int(rows[0]["op"]) == oldest and int(rows[0].get("prev") or 0) > after
    if cut or (not oldest and int(reply["last"]) > after):
        raise Lost(after, oldest or int(reply["last"]) + 1)


def check_reached(after: int, reply: Mapping[str, Any]) -> None:
    """Refuses a reply of ``jr_event_list`` when the log ends before ``after``. Raises NotReached."""
    oldest, last = int(reply["oldest"]), int(reply["last"])
    if last < after:
        raise NotReached(after, oldest or last + 1, last)


def entries(reply: Mapping[str, Any]) -> Iterator[Entry]:
    """The entries of a reply of ``jr_event_list``."""
    return map(of_row, reply["rows"])
