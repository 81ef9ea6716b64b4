"""Events and positions as they stand in a stream."""

from __future__ import annotations

import pytest

from api.wire import event_stream as wire
from api.wire.event_stream import Position
from engine.outbox import Event, of_row, of_stream


@pytest.mark.parametrize(
    ("text", "position"),
    [("5.2", (5, 2)), ("5-0", (5, 0)), ("5", (5, 0)), ("0", (0, 0)), ("120.13", (120, 13))],
)
def test_positions(text: str, position: tuple[int, int]) -> None:
    assert wire.position(text) == Position(*position)


@pytest.mark.parametrize("text", ["", "x", "5.", "5.0", "5-1", "-5", "5.2.1", "5 ", "1" * 16, "\u0665"])
def test_what_is_no_position(text: str) -> None:
    with pytest.raises(ValueError, match=r"^$"):
        wire.position(text)


def test_a_frame_is_made_once() -> None:
    event = Event(7, 2, "RouterJobQueued", b'{"a":1}')
    first = wire.frame(event)
    assert first == b'id: 7.2\nevent: RouterJobQueued\ndata: {"a":1}\n\n'
    assert wire.frame(event) is first


def test_a_payload_stays_on_one_line() -> None:
    frame = wire.frame(Event(7, 1, "RouterJobQueued", b'{"a":\r\n1,\n"b":2}'))
    assert frame == b'id: 7.1\nevent: RouterJobQueued\ndata: {"a":  1, "b":2}\n\n'


def test_openings() -> None:
    assert wire.opening(Position(7)) == b"retry: 1000\nid: 7-0\n\n"
    assert wire.opening(Position(7, 3)) == b"retry: 1000\nid: 7.3\n\n"


def test_stream_and_list_give_the_same_entry() -> None:
    one, two = '{"é":1}', '{"two":2}'
    fields = ["at", "5", "call", "c", "previous", "3", "links", "-", "request", "r", "A", one, "A", two]
    entry = of_stream(b"9-0", [text.encode() for text in fields])
    row = {"op": 9, "at": "5", "call": "c", "prev": 3, "links": "-", "events": ["A", one, "A", two]}
    for found in (entry, of_row(row)):
        assert (found.number, found.previous, found.at) == (9, 3, "5")
        assert [(e.number, e.place, e.kind, e.payload.decode()) for e in found.events] == [
            (9, 1, "A", one),
            (9, 2, "A", two),
        ]
