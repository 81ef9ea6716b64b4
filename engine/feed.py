"""The live events of routers: one blocking read of a router's outbox, however many listen.

The read begins with the first listener of a router and ends with the last. It outlives a lost connection:
listeners get what was written meanwhile, once and in order. Each entry names the one before it, so an entry
that is missing is noticed; then, and when the log has begun anew, all listeners are let go.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import deque
from collections.abc import Iterator

from redis.asyncio import Redis
from redis.exceptions import RedisError

from engine.clients import reading
from engine.commands import EventList
from engine.errors import Unavailable
from engine.event_filters import EventFilters
from engine.following import follow, newest
from engine.outbox import Entry, Event, Lost
from engine.store import Store

log = logging.getLogger("jobrouter.events")

ROOM = 10_000
"""Events that may wait for one listener before it is let go: it is too slow."""
ROOM_BYTES = 16 * 1024 * 1024
"""Characters of payloads that may wait for one listener: events of large jobs are few and large."""
TAKEN_BYTES = 64 * 1024
"""Payloads that a listener takes at a time, but for one event, however large."""

NAME = "jobrouter-events"
"""The name of the connection, as CLIENT LIST shows it."""

_TOLD_AT_ONCE = 20_000
"""Events told to listeners before the process does other things, which takes some 10 ms.

The listeners write what they have got then: with many of them, few at a time would be as many small writes.
"""

_PAUSE_SECONDS = 0.02
_LONGEST_PAUSE_SECONDS = 1.0
_REPORTED_FAILURE = 5

SLOW = "too slow: more events were waiting than may"
CLOSING = "the server is about to end"
BROKEN = "entries of the log are missing, or it has begun anew"


class Ended(Exception):
    """A listener was let go; the text says why."""


class Listener:
    """One who listens to a router: first a member only, then, from ``listen`` on, with events waiting.

    ``ended`` is done, with the reason, when it was let go.
    """

    def __init__(self, feed: Feed, room: int, room_bytes: int = ROOM_BYTES) -> None:
        self.ended: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self.filters: EventFilters | None = None
        self._feed = feed
        self._room = room
        self._room_bytes = room_bytes
        self._after = 0
        self._waiting: deque[Event] = deque()
        self._waiting_bytes = 0
        self._more = asyncio.Event()

    @property
    def position(self) -> int:
        """Number of the last entry of which every event wanted was taken or is waiting."""
        return max(self._feed.position, self._after)

    @property
    def turn(self) -> asyncio.Lock:
        """Whoever reads old entries of the router does it in turn: the store has other things to do."""
        return self._feed.turn

    def listen(self, filters: EventFilters, after: int = 0) -> int:
        """From now on events that pass are kept for it, of entries after one if that is ahead.

        Gives the number of the entry after which they are complete.
        """
        self.filters, self._after = filters, after
        self._feed.add(self)
        return self._feed.position

    async def next(self, seconds: float) -> list[Event]:
        """The next events, about ``TAKEN_BYTES``; none when none came in time. Raises Ended."""
        if not self._waiting and not self.ended.done():
            self._more.clear()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await self._more.wait()
        if self.ended.done():
            raise Ended(self.ended.result())
        events: list[Event] = []
        size = 0
        while self._waiting and size < TAKEN_BYTES:
            event = self._waiting.popleft()
            events.append(event)
            size += len(event.payload)
        self._waiting_bytes -= size
        return events

    def put(self, event: Event) -> None:
        """An event that it wants."""
        if event.number <= self._after:
            return
        size = self._waiting_bytes + len(event.payload)
        # one event fits, however large
        if len(self._waiting) == self._room or (self._waiting and size > self._room_bytes):
            self.end(SLOW)
            return
        self._waiting.append(event)
        self._waiting_bytes = size
        self._more.set()

    def end(self, reason: str) -> None:
        """Lets it go."""
        if not self.ended.done():
            self.ended.set_result(reason)
        self._waiting.clear()
        self._more.set()
        self._feed.remove(self)

    def leave(self) -> None:
        """It does not listen any more."""
        self._waiting.clear()
        self._feed.remove(self)


_Index = dict[str, set[EventFilters]]


class _Audience:
    """Listeners by what they want: those who want the same are asked as one.

    Who names workers, jobs or queues is found by them, and is not even asked about other events.
    """

    def __init__(self) -> None:
        self._all: dict[EventFilters, set[Listener]] = {}
        self._others: set[EventFilters] = set()
        self._by_worker: _Index = {}
        self._by_job: _Index = {}
        self._by_queue: _Index = {}

    def add(self, listener: Listener, filters: EventFilters) -> None:
        """One more who wants this."""
        members = self._all.setdefault(filters, set())
        if not members:
            index, keys = self._place(filters)
            for key in keys:
                index.setdefault(key, set()).add(filters)
            if not keys:
                self._others.add(filters)
        members.add(listener)

    def remove(self, listener: Listener, filters: EventFilters) -> None:
        """One less."""
        members = self._all.get(filters, set())
        members.discard(listener)
        if members or filters not in self._all:
            return
        del self._all[filters]
        self._others.discard(filters)
        index, keys = self._place(filters)
        for key in keys:
            index[key].discard(filters)
            if not index[key]:
                del index[key]

    def _place(self, filters: EventFilters) -> tuple[_Index, frozenset[str]]:
        """Where filters are found: by the rarest of what they name."""
        if filters.workers:
            return self._by_worker, filters.workers
        return (self._by_job, filters.jobs) if filters.jobs else (self._by_queue, filters.queues)

    def of(self, event: Event) -> list[Listener]:
        """Those who want an event."""
        return [listener for filters in self._wishes(event) for listener in self._all[filters]]

    def _wishes(self, event: Event) -> Iterator[EventFilters]:
        named: set[EventFilters] = set()
        if self._by_worker:
            named |= self._by_worker.get(event.about.worker, _NOBODY)
        if self._by_job:
            named |= self._by_job.get(event.about.job, _NOBODY)
        if self._by_queue:
            for queue in event.about.queues:
                named |= self._by_queue.get(queue, _NOBODY)
        for candidates in (self._others, named):
            for filters in candidates:
                if event.passes(filters):
                    yield filters


_NOBODY: frozenset[EventFilters] = frozenset()


class Feed:
    """One read of one router's outbox. ``position`` is the number of the last entry that was read."""

    def __init__(self, owner: Feeds, root: str) -> None:
        self.position = 0
        self.turn = asyncio.Lock()
        self._owner = owner
        self._root = root
        self._members: set[Listener] = set()
        self._audience = _Audience()
        self._last_at = ""
        self._told = 0
        self._started: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.task = asyncio.create_task(self._run())
        # whatever ends it: nobody is left who would hear nothing any more
        self.task.add_done_callback(lambda _: self.end(BROKEN))

    async def join(self, listener: Listener) -> None:
        """Takes in a member, and waits until the read has begun. Raises what hinders it."""
        self._members.add(listener)
        try:
            await asyncio.shield(self._started)
        except BaseException:
            self.remove(listener)
            raise

    def add(self, listener: Listener) -> None:
        """A member wants events from now on."""
        if listener in self._members and listener.filters is not None:
            self._audience.add(listener, listener.filters)

    def remove(self, listener: Listener) -> None:
        """A member leaves; with the last of them the read ends."""
        if listener not in self._members:
            return
        self._members.remove(listener)
        if listener.filters is not None:
            self._audience.remove(listener, listener.filters)
        if not self._members:
            self._owner.forget(self._root, self)
            # the read itself, when it lets the last one go, ends by itself
            if asyncio.current_task() is not self.task:
                self.task.cancel()
            if not self._started.done():
                self._fail(Unavailable(CLOSING))

    def end(self, reason: str) -> None:
        """Lets all members go."""
        for listener in tuple(self._members):
            listener.end(reason)

    def _fail(self, error: Exception) -> None:
        self._started.set_exception(error)
        # everybody who waits may have gone away
        self._started.exception()

    # ---- the read ------------------------------------------------------------------------------------------

    async def _run(self) -> None:
        try:
            self.position = await newest(self._owner.store, self._root)
        except Exception as error:
            self._fail(error)
            return
        self._started.set_result(None)
        failures = 0
        while self._members:
            before = self.position
            try:
                async with (
                    self._owner.store.servers.staying(self._root) as address,
                    reading(address, NAME) as client,
                ):
                    if failures and not await self._is_the_same_log():
                        self.end(BROKEN)
                        return
                    await self._follow(client)
                    return
            except (RedisError, OSError, TimeoutError, Unavailable) as error:
                failures = failures + 1 if self.position == before else 1
                # a single loss is nothing special: a restart of the store, or our own end
                if failures == _REPORTED_FAILURE:
                    log.warning("cannot read events, trying on: %s", error)
            except Lost:
                self.end(BROKEN)
                return
            except Exception:
                log.exception("the read of events has failed")
                self.end(BROKEN)
                return
            await asyncio.sleep(min(_LONGEST_PAUSE_SECONDS, _PAUSE_SECONDS * 2 ** min(failures, 10)))

    async def _is_the_same_log(self) -> bool:
        """Whether the log goes on from where we are: a server may come back with less, or nothing."""
        if not self.position:
            return True
        reply = await self._owner.store.run(self._root, EventList(self.position - 1, 1))
        rows = reply["rows"]
        if int(reply["last"]) < self.position:
            return False
        ours = bool(rows) and int(rows[0]["op"]) == self.position
        return not ours or self._last_at in ("", rows[0]["at"])

    async def _follow(self, client: Redis) -> None:
        while self._members:
            for entry in await follow(client, self._root, self.position):
                self._tell(entry)
                if self._told > _TOLD_AT_ONCE:
                    # the process has other things to do, too
                    self._told = 0
                    await asyncio.sleep(0)

    def _tell(self, entry: Entry) -> None:
        self.position, self._last_at = entry.number, entry.at
        for event in entry.events:
            listeners = self._audience.of(event)
            self._told += len(listeners)
            for listener in listeners:
                listener.put(event)


class Feeds:
    """The feeds of all routers in use, over one store."""

    def __init__(self, store: Store, *, room: int = ROOM, room_bytes: int = ROOM_BYTES) -> None:
        self.store = store
        self._room = room
        self._room_bytes = room_bytes
        self._closed = False
        self._feeds: dict[str, Feed] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    async def join(self, root: str) -> Listener:
        """A new member of the router at this root. Raises Unavailable, Refused or Failed."""
        if self._closed:
            raise Unavailable(CLOSING)
        feed = self._feeds.get(root)
        if feed is None:
            feed = self._feeds[root] = Feed(self, root)
            self._tasks.add(feed.task)
            feed.task.add_done_callback(self._tasks.discard)
        listener = Listener(feed, self._room, self._room_bytes)
        await feed.join(listener)
        return listener

    def forget(self, root: str, feed: Feed) -> None:
        """A feed has lost its last member."""
        if self._feeds.get(root) is feed:
            del self._feeds[root]

    async def aclose(self) -> None:
        """Lets everybody go, and reads no more."""
        self._closed = True
        for feed in list(self._feeds.values()):
            feed.end(CLOSING)
        await asyncio.gather(*self._tasks, return_exceptions=True)
