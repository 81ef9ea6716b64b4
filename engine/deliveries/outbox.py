"""Entries of the outbox as they are delivered: the events of one call, and who is to get them in order."""

from __future__ import annotations

from typing import NamedTuple

from engine import outbox
from engine.event_filters import About, about


class Event(NamedTuple):
    """One event: its place ``<op>.<k>`` in the outbox, its payload, when it happened (epoch ms, 0 = unknown).

    Events of a lane are delivered one after the other: those of a job, else of a worker, else of a subject.
    """

    place: str
    kind: str
    payload: bytes
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
        """The bytes of its payloads."""
        return sum(len(event.payload) for event in self.events)


def event(place: str, kind: str, payload: bytes, at: int) -> Event:
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


def entry_of(read: outbox.Entry) -> Entry:
    """An entry from what was read."""
    at = int(read.at or 0)
    events = tuple(event(f"{one.number}.{one.place}", one.kind, one.payload, at) for one in read.events)
    return Entry(read.number, read.previous, events)
