"""Events as they happen: server-sent events, with whatever a client has missed in front."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from typing import Any

from api.call import Call
from api.errors import BadRequest
from api.events import gone
from api.streaming import Streaming, unless_gone
from api.wire import event_filters, queries
from api.wire import event_stream as wire
from api.wire.event_stream import Position
from engine.commands import EventList
from engine.errors import Failed, Refused, Unavailable
from engine.event_filters import EventFilters
from engine.feed import Ended, Listener
from engine.outbox import Entry, Event, Lost, check_kept, check_reached, entries

HEARTBEAT_SECONDS = 15
LONGEST_HEARTBEAT_SECONDS = 300
PORTION = 50
"""Entries that are read at a time for a client that has missed some, which takes 0.4 ms."""

PATIENCE_SECONDS = 30.0
"""How long a client that is catching up waits for a store that is away."""

_PAUSE_SECONDS = 0.2
_LAST_ID = b"last-event-id"
_PARAMETERS = ("after", "heartbeat")
_HEADERS = (
    (b"content-type", wire.MEDIA_TYPE),
    (b"cache-control", b"no-store"),
    # a proxy must not keep parts back
    (b"x-accel-buffering", b"no"),
)


async def stream(call: Call) -> Streaming:
    """Events that pass the filters, from a position on, or from now on."""
    filters = event_filters.filters(call.raw_query, _PARAMETERS)
    seconds = queries.whole(call.query, "heartbeat", HEARTBEAT_SECONDS, LONGEST_HEARTBEAT_SECONDS)
    after = _position(call)
    listener = await call.feeds.join(call.root)
    it = _Stream(call, listener, filters, seconds)
    try:
        if after is None:
            it.begin_live()
        else:
            await unless_gone(call.receive, it.begin_at(after))
    except BaseException as error:
        listener.leave()
        if isinstance(error, Ended):
            raise Unavailable(str(error)) from None
        raise
    return Streaming(_HEADERS, it.parts(), listener.ended, listener.leave)


def _position(call: Call) -> Position | None:
    """Where a client goes on: its last id, when it comes back, else what it asks for."""
    text = call.headers.get(_LAST_ID, b"").decode("latin-1") or call.query.get("after", "")
    try:
        return wire.position(text) if text else None
    except ValueError:
        raise BadRequest(
            "'Last-Event-ID' (or the query parameter 'after') is not valid: "
            "it must be the id of an event or entry, as 120.1 or 120-0."
        ) from None


class _Stream:
    """One client's way through the log: old entries in portions, then those that come."""

    def __init__(self, call: Call, listener: Listener, filters: EventFilters, seconds: int) -> None:
        self._call = call
        self._listener = listener
        self._filters = filters
        self._seconds = seconds
        self._start = Position(0)
        self._seen = 0
        self._told = 0
        self._portion: list[Entry] = []
        self._last = 0
        self._behind = self._live = False
        self._quiet_until = 0.0

    def begin_live(self) -> None:
        """From now on."""
        self._live = True
        self._seen = self._told = self._listener.listen(self._filters)
        self._start = Position(self._seen)

    async def begin_at(self, after: Position) -> None:
        """From a position on; the first portion is read at once. Raises Gone when that is not kept."""
        self._start, self._told = after, after.number
        # inside an entry: it has to be looked at again
        self._seen = after.number - 1 if after.place else after.number
        try:
            await self._read(first=True)
        except Lost as lost:
            raise gone(lost) from None

    async def parts(self) -> AsyncGenerator[bytes, None]:
        """The body."""
        try:
            yield wire.opening(self._start)
            if not self._live:
                async for part in self._catch_up():
                    yield part
            while True:
                events = await self._listener.next(self._seconds)
                if events:
                    yield self._shown(events)
                else:
                    yield self._sign_of_life(self._listener.position)
        except Ended as ended:
            yield wire.comment(f"{ended}; connect again")
        except (Lost, Unavailable, Refused, Failed) as error:
            yield wire.comment(f"{error}; connect again")

    async def _catch_up(self) -> AsyncIterator[bytes]:
        until = None
        while True:
            if part := self._from_portion(until):
                yield part
            if not self._behind and until is None:
                # what is written from now on comes by itself; the rest is what came since the last look
                until = self._listener.listen(self._filters, self._seen)
            if until is not None and self._seen >= until:
                return
            await self._read()

    async def _read(self, *, first: bool = False) -> None:
        reply = await self._listed(patient=not first)
        if self._seen or self._start.place or not first:
            check_kept(self._seen, reply)
        if first:
            check_reached(self._start.number, reply)
        self._portion, self._last = list(entries(reply)), int(reply["last"])
        self._behind = len(self._portion) == PORTION

    async def _listed(self, *, patient: bool) -> dict[str, Any]:
        """The next portion. While a store restarts, a client that already listens is kept waiting."""
        loop = asyncio.get_running_loop()
        patience = loop.time() + (PATIENCE_SECONDS if patient else 0)
        while True:
            try:
                # who waits for the store lets others have their turn
                async with self._listener.turn:
                    if self._listener.ended.done():
                        raise Ended(self._listener.ended.result())
                    reply: dict[str, Any] = await self._call.run(EventList(self._seen, PORTION))
                    return reply
            except Unavailable:
                if loop.time() >= patience or self._listener.ended.done():
                    raise
                await asyncio.sleep(_PAUSE_SECONDS)

    def _from_portion(self, until: int | None) -> bytes:
        """The events of a portion, or a sign of life when there have been none for some time."""
        events: list[Event] = []
        for entry in self._portion:
            if until is not None and entry.number > until:
                break
            self._seen = entry.number
            events += (event for event in entry.events if self._is_new(event) and event.passes(self._filters))
        if until is None and not self._behind:
            self._seen = max(self._seen, self._last)
        self._portion = []
        now = asyncio.get_running_loop().time()
        if events:
            self._quiet_until = now + self._seconds
            return self._shown(events)
        if now < self._quiet_until:
            return b""
        self._quiet_until = now + self._seconds
        return self._sign_of_life(self._seen)

    def _is_new(self, event: Event) -> bool:
        return event.number > self._start.number or event.place > self._start.place

    def _shown(self, events: list[Event]) -> bytes:
        self._told = events[-1].number
        return b"".join(map(wire.frame, events))

    def _sign_of_life(self, seen: int) -> bytes:
        """A comment; where a filter has held everything back, the new position as well."""
        if seen <= self._told:
            return wire.COMMENT
        self._told = seen
        return wire.progress(seen)
