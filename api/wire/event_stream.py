"""Server-sent events: how events, positions and comments stand in a stream.

The id of an event is ``<entry>.<k>``, the k-th event of that entry. A position behind a whole entry is
``<entry>-0``, the entry's own id; it is told by a block without data, which clients take note of and do not
show.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from engine.outbox import Event

MEDIA_TYPE = b"text/event-stream; charset=utf-8"
RETRY_MS = 1_000
"""How long clients wait before they connect again."""

COMMENT = b":\n"

_POSITION = re.compile(r"([0-9]{1,15})(?:-0|\.([0-9]{1,6}))?")


class Position(NamedTuple):
    """A place in the log: behind the event ``place`` of an entry, or behind the whole entry where it is 0."""

    number: int
    place: int = 0


def position(text: str) -> Position:
    """A position as clients give it back: ``5.2``, ``5-0`` or ``5``. Raises ValueError."""
    found = _POSITION.fullmatch(text)
    if not found or (found[2] and int(found[2]) == 0):
        raise ValueError
    return Position(int(found[1]), int(found[2] or 0))


def frame(event: Event) -> bytes:
    """An event as a block of the stream; made once, whoever asks."""
    if not event.frame:
        payload = event.payload
        if b"\n" in payload or b"\r" in payload:
            # between two tokens: inside a JSON string there is none
            payload = payload.replace(b"\r", b" ").replace(b"\n", b" ")
        name = event.kind.encode()
        event.frame = b"id: %d.%d\nevent: %b\ndata: %b\n\n" % (event.number, event.place, name, payload)
    return event.frame


def opening(after: Position) -> bytes:
    """The first block: when to come back, and from where."""
    place = b"-0" if after.place == 0 else b".%d" % after.place
    return b"retry: %d\nid: %d%b\n\n" % (RETRY_MS, after.number, place)


def progress(number: int) -> bytes:
    """Tells that everything up to an entry has been looked at."""
    return b"id: %d-0\n\n" % number


def comment(text: str) -> bytes:
    """Words for people, which no client shows."""
    return b": %b\n\n" % text.encode()
