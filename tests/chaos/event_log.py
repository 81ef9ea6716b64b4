"""The event log, read from the store itself, and what must be true of it whatever was broken."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Mapping
from typing import Any, NamedTuple

from engine.commands import EventList
from engine.outbox import entries
from tests.support import SyncStore

PAGE = 200
"""Entries in one call: it must stay short, since the store does nothing else meanwhile."""
JOB, OFFER = "RouterJob", "RouterWorkerOffer"

ENDS = frozenset(OFFER + end for end in ("Accepted", "Declined", "Expired", "Revoked"))
"""An offer ends in one of these ways, once."""

_FOLLOWS = {
    f"{JOB}Completed": f"{OFFER}Accepted",
    f"{JOB}Closed": f"{JOB}Completed",
}
"""What the same assignment must have seen before."""


class Told(NamedTuple):
    """One event: its id, its place ``<op>.<k>``, its kind without the prefix, its data, its time in ms."""

    id: str
    place: str
    kind: str
    data: dict[str, Any]
    at: int


class EventLog:
    """All entries of a log that was never trimmed."""

    def __init__(self, store: SyncStore, root: str) -> None:
        self.events: list[Told] = []
        self.gaps: list[str] = []
        """Where the chain of entries is broken: every entry names the one before it, the state the last."""
        last = 0
        while True:
            reply = store.run(root, EventList(last, PAGE))
            for entry in entries(reply):
                if entry.previous != last:
                    self.gaps.append(f"{entry.number} follows {last} but names {entry.previous}")
                last = entry.number
                for event in entry.events:
                    payload, place = json.loads(event.payload), f"{entry.number}.{event.place}"
                    self.events.append(Told(payload["id"], place, event.kind, payload["data"], int(entry.at)))
            if len(reply["rows"]) < PAGE:
                break
        if last != int(reply["last"]):
            self.gaps.append(f"the last entry is {last}, but the state says {reply['last']}")

    def of(self, kind: str) -> list[Told]:
        """The events of one kind."""
        return [event for event in self.events if event.kind == kind]

    def repeated(self) -> list[str]:
        """What has happened twice though it can happen once: a job's beginning, an offer's and its end,
        an assignment's end; and ids that two events have."""
        counts: Counter[tuple[str, ...]] = Counter()
        for event in self.events:
            data = event.data
            counts["the id", event.id] += 1
            if event.kind in (f"{JOB}Received", f"{JOB}Completed", f"{JOB}Closed", f"{JOB}Cancelled"):
                counts[event.kind, data["jobId"], data.get("assignmentId") or ""] += 1
            elif event.kind == f"{OFFER}Issued":
                counts[event.kind, data["offerId"]] += 1
            elif event.kind in ENDS:
                counts["the end of an offer", data["offerId"]] += 1
        return [f"{' '.join(what)}: {times} times" for what, times in counts.items() if times > 1]

    def out_of_order(self) -> list[str]:
        """Events whose cause is not told before them."""
        seen: dict[str, set[str]] = defaultdict(set)
        wrong = []
        for event in self.events:
            data = event.data
            if event.kind in ENDS and data["offerId"] not in seen[f"{OFFER}Issued"]:
                wrong.append(f"{event.place} {event.kind} of an offer that was never issued")
            cause = _FOLLOWS.get(event.kind)
            if cause and data["assignmentId"] not in seen[cause]:
                wrong.append(f"{event.place} {event.kind} of {data['jobId']} without {cause}")
            seen[event.kind] |= {str(data.get("offerId")), str(data.get("assignmentId"))}
        return wrong

    def untold(self, jobs: Mapping[str, Mapping[str, Any]]) -> list[str]:
        """Jobs, by id, whose records have come to where no event tells that they did."""
        told = {(event.kind, event.data.get("jobId")) for event in self.events}
        wrong = []
        for name, job in jobs.items():
            wanted = [f"{JOB}Received"]
            if job.get("assignment"):
                wanted.append(f"{OFFER}Accepted")
            if job["status"] in ("completed", "closed"):
                wanted.append(f"{JOB}Completed")
            if job["status"] == "closed":
                wanted.append(f"{JOB}Closed")
            wrong += [
                f"{name} is {job['status']} without {kind}" for kind in wanted if (kind, name) not in told
            ]
        return wrong
