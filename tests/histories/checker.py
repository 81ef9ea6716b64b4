"""Checks a history against the log of calls, and the log against the naive twin.

The log is an order of all calls. It is the right one when the twin, that takes them one by one in this order
and at their times, replies to each what the router has replied; when each client has been replied just that;
and when a call that was complete before another began stands before it. Then the router is strictly
serializable for what was asked of it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import redis

from engine import commands as c
from engine.errors import Refused, refusal_of
from tests.histories.book import NEVER, Call, Reply
from tests.histories.log import DUE, Entry, entries
from tests.twin.driver import Difference, compare
from tests.twin.dump import difference, lua_events, lua_state, twin_events, twin_state
from tests.twin.router import WRITES, Twin
from tests.twin.store import Store

SLICE = 500
SHOWN = 10
SWEEPS = {c.AgendaDue.function}
"""What is called beside the clients, without a tag."""


@dataclass
class Found:
    """What was checked, and what was wrong."""

    operations: int = 0
    replies: int = 0
    refusals: int = 0
    reads: int = 0
    unknown: int = 0
    """Answers that were lost; of these were executed:"""
    executed: int = 0
    again: int = 0
    """Repeats over HTTP that have acted again, since their job had another life or request in between."""
    entries: int = 0
    due: int = 0
    events: int = 0
    mismatches: list[str] = field(default_factory=list)

    def add(self, other: Found) -> None:
        """Counts another one, too."""
        for name in self.__dataclass_fields__:
            setattr(self, name, getattr(self, name) + getattr(other, name))


class Replay:
    """A twin that takes the entries of a log in their order."""

    def __init__(self, root: str) -> None:
        self.twin = Twin(root)
        self._done = 0

    def take(self, entry: Entry) -> list[str]:
        """Where the twin differs from what the router has replied."""
        r = self.twin.state
        problems = [] if entry.before == r.op else [f"begins at {entry.before}, the twin stands at {r.op}"]
        try:
            if entry.call == DUE:
                problems += self._due(entry)
            elif known(entry):
                self._call(entry)
            elif entry.op != entry.before:
                problems.append("it cannot be replayed")
        except Difference as found:
            problems.append(str(found))
        if entry.op != r.op:
            problems.append(f"ends at {entry.op}, the twin stands at {r.op}")
        return problems

    def _due(self, entry: Entry) -> list[str]:
        self.twin.due(entry.at)
        self._done = self.twin.state.done
        return [] if self._done == entry.done else [f"{entry.done} rows done, the twin does {self._done}"]

    def _call(self, entry: Entry) -> None:
        command = entry.command
        r = self.twin.state
        r.now, r.done = entry.at, self._done
        self._done = 0
        wanted: Reply | Refused
        try:
            wanted = self.twin.act(command)
        except Refused as refusal:
            wanted = refusal
        compare(answer(entry, command), wanted)


def known(entry: Entry) -> bool:
    """Does the twin know this operation?"""
    return type(entry.command) in (*WRITES, c.AgendaDue, c.SettingsWrite)


def answer(entry: Entry, command: c.Command) -> Reply | Refused:
    """What was answered to a recorded call."""
    if entry.reply is not None:
        return command.completed(dict(entry.reply))
    refusal = refusal_of(entry.refused)
    if refusal is None:
        raise Difference(f"it has failed: {entry.refused}")
    return refusal


class Checker:
    """Checks the history of one tenant that is at rest."""

    def __init__(self, client: redis.Redis, root: str, calls: Sequence[Call]) -> None:
        self.found = Found(operations=len(calls))
        self._store = Store(client, root)
        self._root = root
        self._calls = calls
        self._owners: dict[int, Call] = {}
        """Whose call it is that stands at a place of the log."""

    def run(self) -> Found:
        """Checks everything."""
        log = list(whole_log(self._store.redis, self._root))
        self.found.entries = len(log)
        self._match(log)
        self._compare_order(log)
        replay = Replay(self._root)
        asked = [call for call in self._calls if self._is_read(call)]
        reads = Reads(asked, self._windows(len(log)), self._agrees)
        reads.look(replay.twin, 0)
        for place, entry in enumerate(log, 1):
            self.found.due += entry.done
            problems = replay.take(entry)
            if problems:
                self._tell(f"{shown(entry)}: " + "; ".join(problems))
                return self.found
            if entry.call != DUE:
                reads.look(replay.twin, place)
        self.found.reads = reads.found
        for call in reads.end()[:SHOWN]:
            self._tell(f"{call.command} at no moment had the answer {call.outcome!r}")
        self._compare_state(replay.twin)
        return self.found

    def _is_read(self, call: Call) -> bool:
        return not call.command.write

    def _agrees(self, twin: Twin, call: Call) -> bool:
        return agrees(twin, call)

    def _tell(self, problem: str) -> None:
        self.found.mismatches.append(f"{self._root}: {problem}")

    # ---- what clients were answered ------------------------------------------------------------------------

    def _match(self, log: Sequence[Entry]) -> None:
        """Each call that was answered is in the log once, with that answer; each other one at most once."""
        asked = {call.tag: call for call in self._calls if call.command.write}
        for place, entry in enumerate(log, 1):
            if not entry.tag:
                self._match_untagged(place, entry)
            elif (call := asked.pop(entry.tag, None)) is None:
                known = any(owner.tag == entry.tag for owner in self._owners.values())
                self._tell(f"{shown(entry)}: {'it was done twice' if known else 'nobody has called it'}")
            else:
                self._owners[place] = call
                self._compare_answer(entry, call)
        for call in asked.values():
            self._match_missing(call)

    def _match_untagged(self, place: int, entry: Entry) -> None:
        if entry.call != DUE and entry.call not in SWEEPS:
            self._tell(f"{shown(entry)}: nobody has called it")

    def _match_missing(self, call: Call) -> None:
        self._count(call)
        if call.outcome is not None:
            self._tell(f"{call.command} was answered with {call.outcome!r}, but is not in the log")

    def _count(self, call: Call) -> None:
        if call.outcome is None:
            self.found.unknown += 1
        elif isinstance(call.outcome, Refused):
            self.found.refusals += 1
        else:
            self.found.replies += 1

    def _compare_answer(self, entry: Entry, call: Call) -> None:
        self._count(call)
        if entry.command != call.command:
            self._tell(f"{shown(entry)}: {call.command} was called")
        if call.outcome is None:
            self.found.executed += 1
            return
        recorded = answer(entry, call.command)
        if not same(recorded, call.outcome):
            self._tell(f"{shown(entry)}: recorded {recorded!r}, answered {call.outcome!r}")

    # ---- real time -----------------------------------------------------------------------------------------

    def _compare_order(self, log: Sequence[Entry]) -> None:
        """No call stands behind one that began after its end."""
        latest: Call | None = None
        for place, call in sorted(self._owners.items()):
            if latest and call.completed < latest.invoked:
                told = f"{shown(log[place - 1])} was over before {latest.command} began"
                self._tell(f"{told}, but stands behind it")
            if latest is None or call.invoked > latest.invoked:
                latest = call

    def _windows(self, places: int) -> Mapping[str, tuple[int, int]]:
        """Of each read the first and last place in the log after which it may have happened."""
        ended = sorted((call.completed, place) for place, call in self._owners.items())
        begun = sorted(((call.invoked, place) for place, call in self._owners.items()), reverse=True)
        reads = [call for call in self._calls if self._is_read(call)]
        first, last, at = {}, {}, 0
        i = 0
        for call in sorted(reads, key=lambda call: call.invoked):
            while i < len(ended) and ended[i][0] < call.invoked:
                at = max(at, ended[i][1])
                i += 1
            first[call.tag] = at
        i, at = 0, places
        for call in sorted(reads, key=lambda call: call.completed, reverse=True):
            while i < len(begun) and begun[i][0] > call.completed:
                at = min(at, begun[i][1] - 1)
                i += 1
            last[call.tag] = at
        return {tag: (first[tag], last[tag]) for tag in first}

    # ---- the end -------------------------------------------------------------------------------------------

    def _compare_state(self, twin: Twin) -> None:
        """Equal states and events in the end, and every invariant holds."""
        r = twin.state
        problems = difference(lua_state(self._store, r), twin_state(r))
        ids = [f"job:{x}" for x in r.jobs] + [f"worker:{x}" for x in r.workers]
        ids += [f"queue:{x}" for x in r.queues]
        checked = self._store.run(c.Check(ids), r.now)
        problems += [str(problem) for problem in checked["problems"]]
        problems += self._compare_events(twin)
        for problem in problems[:SHOWN]:
            self._tell(problem)

    def _compare_events(self, twin: Twin) -> Iterator[str]:
        """All entries of the outbox that are kept."""
        r = twin.state
        after = r.entries[0].op - 1 if r.entries else 0
        while True:
            page: Any = self._store.run(c.EventList(after, SLICE), r.now)
            ends = page["next"]
            wanted = [e for e in twin_events(r, after) if e[0][0] <= ends]
            yield from difference(lua_events(page, wanted), wanted, "events")
            self.found.events += sum(len(e[1]) for e in wanted)
            if ends == after:
                return
            after = ends


class Reads:
    """Reads that wait for a state of the twin in which they are answered as they were.

    Each takes the first one in its window; none that was complete before it may have seen a later one.
    """

    def __init__(
        self,
        calls: Sequence[Call],
        windows: Mapping[str, tuple[int, int]],
        agree: Callable[[Twin, Call], bool],
    ) -> None:
        answered = [call for call in calls if call.completed < NEVER]
        self._agree = agree
        self._windows = windows
        self._coming = sorted(answered, key=lambda call: windows[call.tag][0], reverse=True)
        self._open: list[Call] = []
        self.lost: list[Call] = []
        """Those that have found no state in their windows."""
        self.found = 0

    def look(self, twin: Twin, place: int) -> None:
        """Tries the state after this place."""
        while self._coming and self._windows[self._coming[-1].tag][0] <= place:
            self._open.append(self._coming.pop())
        if not self._open:
            return
        self._open.sort(key=lambda call: call.completed)
        left: list[Call] = []
        earliest = math.inf
        for call in self._open:
            if place > self._windows[call.tag][1]:
                self.lost.append(call)
            elif call.invoked <= earliest and self._agree(twin, call):
                self.found += 1
            else:
                left.append(call)
                earliest = min(earliest, call.completed)
        self._open = left

    def end(self) -> list[Call]:
        """Those that have found no state, now that there will be no other."""
        return [*self.lost, *self._open, *self._coming]


def agrees(twin: Twin, call: Call) -> bool:
    """Would the twin answer a read now as it was answered?"""
    wanted: Reply | Refused
    try:
        wanted = twin.run(call.command, twin.state.now)
    except Refused as refusal:
        wanted = refusal
    assert call.outcome is not None
    try:
        compare(call.outcome, wanted)
    except Difference:
        return False
    return True


def same(one: Reply | Refused, other: Reply | Refused) -> bool:
    """Equal replies, or equal refusals."""
    if isinstance(one, Refused) and isinstance(other, Refused):
        # an error reply is one line
        return (one.code, one.text.split()) == (other.code, other.text.split())
    return one == other


def whole_log(client: redis.Redis, root: str) -> Iterator[Entry]:
    """All entries of a log."""
    key = ""
    while page := entries(client, root, key):
        yield from (entry for _, entry in page)
        key = page[-1][0]


def shown(entry: Entry) -> str:
    """An entry for people."""
    return f"{entry.op}-{entry.place} {entry.call} {entry.control}"
