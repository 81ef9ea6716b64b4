"""Checks a history whose clients have spoken HTTP: their requests are known in the log by their ids."""

from __future__ import annotations

import itertools
import json
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import redis

from api.wire import jobs, workers
from api.wire.values import etag
from engine import commands as c
from engine.errors import Refused
from engine.model import JobRecord, Record, WorkerRecord
from tests.histories.book import NEVER, Call
from tests.histories.checker import SWEEPS, Checker, agrees, answer, shown
from tests.histories.log import DUE, Entry
from tests.histories.over_http import Asked
from tests.twin.router import Twin

WORKERS = SWEEPS | {
    kind.function
    for kind in (c.SettingsWrite, c.SubscriptionClaim, c.SubscriptionRelease, c.TaskLease, c.TaskAnswer)
}
"""What workers call by themselves."""
WITHOUT_ID = {c.WorkerUpsert.function, c.WorkerDelete.function, c.JobDelete.function}
"""Operations that keep no id of the request."""
PATCHED = (c.JobCreate, c.JobUpdate, c.WorkerUpsert)

Place = tuple[int, Entry]


class HttpChecker(Checker):
    """Checks the history of one tenant that is at rest."""

    def __init__(self, client: redis.Redis, root: str, calls: Sequence[Call]) -> None:
        super().__init__(client, root, calls)
        self._asked = {call.tag: call for call in calls if isinstance(call, Asked)}
        self._of: dict[str, list[Place]] = defaultdict(list)
        """What each request has called, by its id."""
        self._loose: dict[tuple[str, str, int], list[Place]] = defaultdict(list)
        """Calls without an id, by function, entity and number."""
        self._log: Sequence[Entry] = ()

    def _is_read(self, call: Call) -> bool:
        """Also a patch that was found to change nothing."""
        reads = isinstance(call, Asked) and call.answer is not None and call.answer.status == 200
        return super()._is_read(call) or (reads and not call.op)  # type: ignore[attr-defined]

    def _agrees(self, twin: Twin, call: Call) -> bool:
        return read_agrees(twin, call) if isinstance(call, Asked) else agrees(twin, call)

    def _match(self, log: Sequence[Entry]) -> None:
        self._log = log
        super()._match(log)
        repeated = {getattr(call.command, "id", "") for call in self._asked.values() if call.sent > 1}
        for (_, entity, _), places in self._loose.items():
            for _, entry in places:
                # what has changed something was answered, or its answer was lost and it was asked again
                if entry.op > entry.before and entity not in repeated:
                    self._tell(f"{shown(entry)}: nobody has called it")

    def _match_untagged(self, place: int, entry: Entry) -> None:
        if entry.call == DUE or entry.call in WORKERS:
            return
        control = json.loads(entry.control)
        request = control.get("request_id", "")
        if request in self._asked:
            self._of[request].append((place, entry))
            call = self._asked[request]
            # where it was sent again, the first may act when the second has been answered
            self._owners[place] = call if call.sent == 1 else replace(call, completed=NEVER)
        elif not request and entry.call in WITHOUT_ID:
            self._loose[entry.call, control["id"], entry.op].append((place, entry))
        else:
            super()._match_untagged(place, entry)

    def _match_missing(self, call: Call) -> None:
        if not isinstance(call, Asked):
            super()._match_missing(call)
            return
        assert call.answer is not None
        self.found.unknown += call.sent - 1
        if call.answer.status >= 500:
            self._tell(f"{call.command} was answered with {call.answer}")
        elif call.answer.status >= 400:
            self.found.refusals += 1
            self._match_refusal(call)
        else:
            self.found.replies += 1
            if not self._is_read(call):
                self._match_reply(call)

    def _match_reply(self, call: Asked) -> None:
        """The entry of its number is its own, and says what was answered; no action acts twice."""
        changes = [(p, e) for p, e in self._of[call.tag] if e.reply is not None and e.op > e.before]
        if not isinstance(call.command, PATCHED):
            self.found.executed += max(0, len(self._of[call.tag]) - 1)
        for (first, _), (second, entry) in itertools.pairwise(changes):
            if isinstance(call.command, PATCHED):
                continue
            if self._is_forgotten(call, first, second):
                self.found.again += 1
            else:
                self._tell(f"{shown(entry)}: it was done twice")
        places = [(p, e) for p, e in self._of[call.tag] if e.op == call.op and e.reply is not None]
        if not hasattr(call.command, "request_id"):
            loose = self._loose[call.command.function, getattr(call.command, "id", ""), call.op]
            places = [place for place in loose if place[1].reply is not None][:1]
            for place in places:
                loose.remove(place)
        if not places:
            self._tell(f"{call.command} was answered with {call.answer}, but is not in the log")
            return
        # one that found nothing to change may have the same number
        place, entry = max(places, key=lambda place: place[1].op > place[1].before)
        self._owners[place] = call
        if not says(call, entry):
            self._tell(f"{shown(entry)}: recorded {entry.reply}, answered {call.answer}")

    def _is_forgotten(self, call: Asked, first: int, second: int) -> bool:
        """May a repeat act again? A job remembers the last request of each action, in its present life."""
        job = getattr(call.command, "job", getattr(call.command, "id", ""))
        for entry in self._log[first : second - 1]:
            is_action = entry.call == call.command.function and entry.op > entry.before
            control = json.loads(entry.control)
            if entry.call == c.JobCreate.function and control["id"] == job and entry.op > entry.before:
                return True
            if is_action and control.get("job", control.get("id")) == job:
                return True
        return False

    def _match_refusal(self, call: Asked) -> None:
        """A request that the store has refused stands in the log as refused."""
        assert call.answer is not None
        is_known = hasattr(call.command, "request_id") and call.answer.status != 400
        if is_known and not any(entry.refused for _, entry in self._of[call.tag]):
            self._tell(f"{call.command} was answered with {call.answer}, but nothing was refused")


def says(call: Asked, entry: Entry) -> bool:
    """Is this what the answer tells?"""
    assert call.answer is not None
    assert entry.reply is not None
    command = call.command
    if isinstance(command, c.OfferAccept):
        names = {"assignmentId": "assignment", "jobId": "job", "workerId": "worker"}
        given = call.answer.json()
        return all(given[name] == entry.reply[ours] for name, ours in names.items())
    if isinstance(command, PATCHED):
        reply = answer(entry, entry.command)
        assert not isinstance(reply, Refused)
        return shows(call, reply)
    return True


def read_agrees(twin: Twin, call: Asked) -> bool:
    """Would the twin show a job or worker now as it was shown?"""
    assert call.answer is not None
    of_worker = isinstance(call.command, c.WorkerUpsert | c.WorkerRead)
    entity = str(getattr(call.command, "id", ""))
    try:
        record = twin.run(c.WorkerRead(entity) if of_worker else c.JobRead(entity), twin.state.now)
    except Refused:
        return call.answer.status == 404
    return call.answer.status == 200 and shows(call, record)


def shows(call: Asked, fields: dict[str, Any]) -> bool:
    """Is this the job or worker that was shown? Tells nothing of what depends on the time of the call."""
    assert call.answer is not None
    given = {name: value for name, value in fields.items() if name != "enqueued_at" or value not in (0, "0")}
    record: Record
    if isinstance(call.command, c.WorkerUpsert | c.WorkerRead):
        record = WorkerRecord.parse(given)
        tag = etag("worker", record)
        view = workers.view(record, tag, with_limit=True)
    else:
        record = JobRecord.parse(given)
        tag = etag("job", record)
        view = jobs.view(record, tag, 0)
    return call.answer.headers.get("etag") == tag and timeless(view) == timeless(call.answer.body)


def timeless(body: bytes) -> Any:
    """What is shown of an entity, without what runs out by itself; offers of one moment in any order."""
    shown: dict[str, Any] = json.loads(body)
    for name in ("requestedWorkerSelectors", "attachedWorkerSelectors"):
        for selector in shown.get(name, ()):
            selector.pop("status", None)
    for name, key in (("offers", "offerId"), ("assignedJobs", "assignmentId")):
        if name in shown:
            shown[name].sort(key=lambda row: str(row[key]))
    return shown
