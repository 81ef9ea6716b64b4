"""How far the deliveries of one subscription are: what is to be sent next, and what is to be written down.

Nothing here waits or calls anybody. Events of a lane go one after the other, lanes side by side. The cursor
is the last entry before which everything is done with; places behind it that are done with are ``ahead``.
"Done with" is: delivered, given up, or parked, which is to say written down to be tried later.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

import msgspec

from engine.deliveries.outbox import Entry, Event

WINDOW = 128
"""Events that are kept here to be sent, beside those of one entry."""
MOST_AHEAD = 2_000
"""Places behind the cursor that are done with before the next entries are taken."""
MOST_CHANGES = 128
"""Changes that wait for a commit before further events are taken."""


class Work(msgspec.Struct, eq=False):
    """An event to be sent. ``tries`` is what was written down of earlier tries, empty for none.

    ``parked``: it stands among the parked events of the store.
    """

    event: Event
    tries: str = ""
    parked: bool = False


class Commit(NamedTuple):
    """What is to be written down; ``changes`` is JSON as lua/subscriptions/commits.lua reads it."""

    number: int
    cursor: int
    ahead: str
    changes: str
    delivered: int
    lost: bool


class _Changes(msgspec.Struct, omit_defaults=True):
    """What has happened since the last commit."""

    parked: list[tuple[str, str]] = []
    failed: list[tuple[str, str, int, str]] = []
    done: list[tuple[str, str]] = []
    dead: list[tuple[str, str, str]] = []
    lost: list[tuple[str]] = []

    @property
    def count(self) -> int:
        return len(self.parked) + len(self.failed) + len(self.done) + len(self.dead) + len(self.lost)

    def lanes(self) -> set[str]:
        """All lanes that it speaks of."""
        lists: tuple[Sequence[Sequence[Any]], ...] = (
            self.parked,
            self.failed,
            self.done,
            self.dead,
            self.lost,
        )
        return {change[0] for one in lists for change in one}


class Progress:
    """One subscription since it was taken: ``cursor``, ``ahead`` and the lanes that wait are the store's."""

    def __init__(self, cursor: int, ahead: Iterable[str] = (), lanes: Iterable[str] = ()) -> None:
        self.read = cursor
        """The last entry that was taken."""
        self.unsaved = 0
        """Events that were sent since the last commit that has arrived."""
        self.room = 1
        """Events that may still be parked before the cursor has to wait."""
        self.parked = set(lanes)
        """Lanes in which events are parked: what comes later in them is parked behind."""
        self._cursor = self._saved = cursor
        self._ahead: dict[int, set[str]] = {}
        self._open: dict[int, tuple[int, set[str]]] = {}
        self._lanes: dict[str, deque[Event]] = {}
        self._ready: deque[Work] = deque()
        self._kept = 0
        self._retrying: set[str] = set()
        self._retried: set[str] = set()
        self._changes = _Changes()
        self._delivered = 0
        self._tried = 0
        self._number = 0
        self._committing: tuple[Commit, set[str], int] | None = None
        self._lost = False
        for place in ahead:
            self._ahead.setdefault(_number(place), set()).add(place)

    # ---- events come in --------------------------------------------------------------------------

    @property
    def has_room(self) -> bool:
        """Whether further entries may be taken."""
        waiting = len(self._changes.parked) + len(self._changes.failed)
        return (
            self._kept < WINDOW
            and len(self._ahead) < MOST_AHEAD
            and self._changes.count < MOST_CHANGES
            and self.room > waiting
            and not self._lost
        )

    @property
    def is_idle(self) -> bool:
        """Whether everything that was taken is done with, but for what is parked."""
        return not self._open

    def take(self, entry: Entry, wanted: Callable[[Event], bool]) -> None:
        """The next entry of the outbox."""
        done = self._ahead.get(entry.number, ())
        places: set[str] = set()
        for event in entry.events:
            if event.place in done or not wanted(event):
                continue
            if event.lane in self.parked:
                self._changes.parked.append((event.lane, event.place))
                self._ahead.setdefault(entry.number, set()).add(event.place)
            else:
                places.add(event.place)
                self._keep(event)
        if places:
            self._open[entry.number] = (entry.previous, places)
        self.read = entry.number
        self._move()

    def _keep(self, event: Event) -> None:
        self._kept += 1
        waiting = self._lanes.get(event.lane)
        if waiting is not None:
            waiting.append(event)
            return
        self._lanes[event.lane] = deque([event])
        self._ready.append(Work(event))

    def resume(self, lane: str, event: Event, tries: str) -> bool:
        """A parked event is to be tried again. False when that has to wait, or happens already.

        What a replay has brought back waits for those of its lane that are kept here: were later ones parked
        behind it meanwhile, another deliverer might try them before it has read these.
        """
        if lane in self._retrying or lane in self._lanes:
            return False
        self.parked.add(lane)
        self._retrying.add(lane)
        self._ready.append(Work(event, tries, parked=True))
        return True

    def lose(self, lane: str) -> None:
        """The first event of a lane is not kept any more."""
        if lane not in self._retrying:
            self._retrying.add(lane)
            self._retried.add(lane)
            self._changes.lost.append((lane,))

    def skip(self) -> None:
        """What follows the last entry that was taken is not kept any more. Only when it is idle."""
        self._lost = True

    @property
    def retrying(self) -> int:
        """Lanes whose first event is tried, or was and that is not written down yet."""
        return len(self._retrying)

    # ---- events go out ---------------------------------------------------------------------------

    def next(self) -> Work | None:
        """What is to be sent next."""
        return self._ready.popleft() if self._ready else None

    def delivered(self, work: Work) -> None:
        """It has arrived."""
        self._count(work)
        self._delivered += 1
        if work.parked:
            self._changes.done.append((work.event.lane, work.event.place))
        else:
            self._advance(work.event)

    def failed(self, work: Work, delay_ms: int, tries: str) -> None:
        """It has not, and is tried again after a time; what follows in its lane waits behind it."""
        self._count(work)
        self._park(work, delay_ms, tries)

    def set_aside(self, work: Work, delay_ms: int) -> None:
        """It takes long: it is written down as if it had failed, so that the cursor may go on without it.

        Whoever sends it goes on; another would try it again after ``delay_ms``.
        """
        if not work.parked:
            self._park(work, delay_ms, work.tries)
            work.parked = True
            self._retrying.add(work.event.lane)

    def given_up(self, work: Work, facts: str) -> None:
        """It is not tried again; what follows in its lane goes on at once."""
        self._count(work)
        self._changes.dead.append((work.event.lane, work.event.place, facts))
        if not work.parked:
            self._advance(work.event)

    def _count(self, work: Work) -> None:
        if work.parked:
            self._retried.add(work.event.lane)
        self.unsaved += 1
        self._tried += 1

    def _park(self, work: Work, delay_ms: int, tries: str) -> None:
        lane = work.event.lane
        self._changes.failed.append((lane, work.event.place, delay_ms, tries))
        if work.parked:
            return
        self.parked.add(lane)
        for event in self._lanes.pop(lane):
            self._kept -= 1
            self._settle(event)
            if event.place != work.event.place:
                self._changes.parked.append((lane, event.place))
        self._move()

    def _advance(self, event: Event) -> None:
        waiting = self._lanes[event.lane]
        waiting.popleft()
        self._kept -= 1
        self._settle(event)
        self._move()
        if waiting:
            self._ready.append(Work(waiting[0]))
        else:
            del self._lanes[event.lane]

    def _settle(self, event: Event) -> None:
        number = _number(event.place)
        self._ahead.setdefault(number, set()).add(event.place)
        _, places = self._open[number]
        places.discard(event.place)
        if not places:
            del self._open[number]

    def _move(self) -> None:
        """Moves the cursor up to the first entry that is not done with."""
        first = next(iter(self._open), None)
        cursor = self.read if first is None else self._open[first][0]
        if cursor <= self._cursor:
            return
        self._cursor = cursor
        for number in [number for number in self._ahead if number <= cursor]:
            del self._ahead[number]

    # ---- commits ---------------------------------------------------------------------------------

    @property
    def has_changes(self) -> bool:
        """Whether there is something that must be written down soon."""
        return bool(self._committing or self._tried or self._changes.count or self._lost)

    @property
    def has_moved(self) -> bool:
        """Whether the cursor is not where the store has it."""
        return self._cursor != self._saved

    def commit(self) -> Commit:
        """What is to be written down: the same again until ``committed`` is called."""
        if self._committing is None:
            self._number += 1
            changes = msgspec.json.encode(self._changes).decode()
            ahead = " ".join(place for places in self._ahead.values() for place in sorted(places))
            one = Commit(self._number, self._cursor, ahead, changes, self._delivered, self._lost)
            self._committing = (one, self._retried, self._tried)
            self._changes, self._retried = _Changes(), set()
            self._delivered = self._tried = 0
        return self._committing[0]

    def committed(self, cursor: int, empty: Iterable[str], room: int) -> None:
        """It is written down; ``empty`` are lanes in which nothing is parked any more."""
        assert self._committing is not None
        commit, retried, tried = self._committing
        self._committing = None
        self.unsaved -= tried
        self.room = room
        self._saved = cursor
        if commit.lost:
            self.read = self._cursor = cursor
            self._lost = False
        self._retrying -= retried
        # what has happened meanwhile is not known to the store yet
        self.parked -= set(empty) - self._changes.lanes()


def _number(place: str) -> int:
    return int(place.partition(".")[0])
