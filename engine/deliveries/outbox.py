"""Entries of the outbox as they are delivered: the events of one call, and who is to get them in order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from engine.event_filters import About, about


class Event(NamedTuple):
    """One event: its place ``<op>.<k>`` in the outbox, its payload, when it happened (epoch ms, 0 = unknown).

    Events of a lane are delivered one after the other: those of a job, else of a worker, else of a subject.
    """

    place: str
    kind: str
    payload: str
    at: int
    lane: str
    about: About


class Entry(NamedTuple):
    """One entry: its number, that of the entry before it, its events."""

    number: int
    previous: int
    events: tuple[Event, ...]

    @property
    def size(self) -> int:
        """About as many characters as it holds."""
        return sum(len(event.payload) for event in self.events)


def event(place: str, kind: str, payload: str, at: int) -> Event:
    """An event from its payload."""
    told = about(payload)
    lane = (
        f"job:{told.job}"
        if told.job
        else f"worker:{told.worker}"
        if told.worker
        else f"subject:{told.subject}"
    )
    return Event(place, kind, payload, at, lane, told)


def entry_of_row(row: Mapping[str, Any]) -> Entry:
    """An entry as ``jr_event_list`` shows it."""
    return _entry(int(row["op"]), int(row.get("prev") or 0), int(row["at"]), row["events"])


def entry_of_stream(entry_id: str, fields: Sequence[str]) -> Entry:
    """An entry as it stands in the stream: at, call, previous, links, perhaps request; then the events."""
    first = 10 if fields[8:9] == ["request"] else 8
    return _entry(int(entry_id.partition("-")[0]), int(fields[5]), int(fields[1]), fields[first:])


def _entry(number: int, previous: int, at: int, told: Sequence[str]) -> Entry:
    pairs = zip(told[::2], told[1::2], strict=True)
    events = tuple(event(f"{number}.{k}", kind, text, at) for k, (kind, text) in enumerate(pairs, 1))
    return Entry(number, previous, events)
