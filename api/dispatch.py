"""Finds the handler of a request by its raw path: a small table, and ids that may hold any character.

Paths are a fixed head (``/routing`` or ``/ext/v1``), then names and ids in turn; a path may end with a word
in the place of an id. An action of a GET or POST follows the last colon of the last id, or of the name of a
collection. An id may hold colons too: where a path takes the method without an action, that goes before.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple
from urllib.parse import unquote_to_bytes

from api.call import Handler
from api.errors import BadRequest, MethodNotAllowed, NotFound
from api.wire.values import checked_id

_Key = tuple[bytes | int, ...]

_HEADS = {b"routing": 2, b"ext": 3}
"""The first segment to the number of segments in front of the first name, the empty one included."""


class Target(NamedTuple):
    """Who answers a request, and the path of its route, as ``/path/{}/name/{}:action``."""

    handler: Handler
    route: str


Found = tuple[Target, list[str]]


class _Place:
    """What a path takes: methods as they are, and those of each action."""

    __slots__ = ("actions", "plain")

    def __init__(self) -> None:
        self.plain: dict[str, Target] = {}
        self.actions: dict[bytes, dict[str, Target]] = {}


class Dispatcher:
    """The table of all routes, ``METHOD /path/{}/name/{}:action`` to handler."""

    def __init__(self, routes: Mapping[str, Handler]):
        self._table: dict[_Key, _Place] = {}
        self._words: dict[_Key, dict[bytes, _Place]] = {}
        for route, handler in routes.items():
            method, whole = route.split(" ")
            path, _, action = whole.partition(":")
            segments = path.encode().split(b"/")
            key, word = _key(segments), segments[-1]
            if (len(segments) - _HEADS[segments[1]]) % 2 or word == b"{}":
                place = self._table.setdefault(key, _Place())
            else:
                place = self._words.setdefault(key, {}).setdefault(word, _Place())
            methods = place.actions.setdefault(action.encode(), {}) if action else place.plain
            methods[method] = Target(handler, whole)

    def find(self, method: str, raw_path: bytes) -> Found:
        """Who answers, and the ids in the path."""
        segments = raw_path.split(b"/")
        key = _key(segments)
        place = self._table.get(key)
        if (words := self._words.get(key)) is not None and segments[-1] in words:
            place = words[segments.pop()]
        if place is None:
            return self._of_collection(method, segments)
        start = _HEADS[segments[1]] + 1
        raw_ids = segments[start::2]
        if b"" in raw_ids:
            raise _no_such_path()
        target = place.plain.get(method)
        if target is None:
            target = self._action(method, place, raw_ids)
        return target, [_id(raw) for raw in raw_ids]

    def _of_collection(self, method: str, segments: list[bytes]) -> Found:
        """Who answers an action of a collection, which follows the last name."""
        *before, last = segments
        name, colon, action = last.rpartition(b":")
        place = self._table.get(_key([*before, name])) if colon else None
        actions = place.actions.get(action) if place else None
        if not actions:
            raise _no_such_path()
        if method not in actions:
            raise _no_such_method(method, [*actions])
        raw_ids = before[_HEADS[segments[1]] + 1 :: 2]
        if b"" in raw_ids:
            raise _no_such_path()
        return actions[method], [_id(raw) for raw in raw_ids]

    def _action(self, method: str, place: _Place, raw_ids: list[bytes]) -> Target:
        """Who answers an action, which is cut off from the last id."""
        head, colon, action = raw_ids[-1].rpartition(b":") if raw_ids else (b"", b"", b"")
        actions = place.actions.get(action)
        if colon and head and actions and (method in actions or not place.plain):
            if method not in actions:
                raise _no_such_method(method, [*actions])
            raw_ids[-1] = head
            return actions[method]
        if not place.plain or (method == "POST" and colon):
            raise _no_such_path()
        raise _no_such_method(method, [*place.plain])


def _key(segments: list[bytes]) -> _Key:
    """The head and the names of a path, and how many segments it has."""
    start = _HEADS.get(segments[1], 2) if len(segments) > 1 else 0
    return (len(segments), *segments[1:start], *segments[start::2])


def _id(raw: bytes) -> str:
    try:
        text = unquote_to_bytes(raw).decode() if b"%" in raw else raw.decode()
    except UnicodeDecodeError:
        raise BadRequest("An id in the path is not valid UTF-8.") from None
    if b"%" in raw and not _well_escaped(raw):
        raise BadRequest("An id in the path holds a percent sign that begins no escape.")
    return checked_id(text)


def _well_escaped(raw: bytes) -> bool:
    digits = b"0123456789abcdefABCDEF"
    return all(len(rest) >= 2 and rest[0] in digits and rest[1] in digits for rest in raw.split(b"%")[1:])


def _no_such_path() -> NotFound:
    return NotFound("The requested path does not exist.")


def _no_such_method(method: str, allowed: list[str]) -> MethodNotAllowed:
    allow = ", ".join(sorted(allowed))
    return MethodNotAllowed(
        f"{method} is not allowed here; allowed: {allow}.", headers=[(b"allow", allow.encode())]
    )
