"""What must be true after a fault."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from datetime import datetime
from typing import Any

from tests.chaos.ledger import RANKS, Ledger
from tests.faults.traffic import LAZY
from tests.runtime.processes import jobrouter
from tests.signed import Caller
from tests.support import eventually

OUTAGE_SECONDS = 5.0
_ONCE = {
    "RouterJobReceived": "created",
    "RouterWorkerOfferAccepted": "assigned",
    "RouterJobCompleted": "completed",
    "RouterJobClosed": "closed",
}
_ENDS = ("Accepted", "Declined", "Expired", "Revoked")
_OFFER = "RouterWorkerOffer"


def kept(call: Caller, history: Ledger) -> None:
    """Every acknowledged write is there."""
    assert history.closed() > 0
    for name, stage in history.stages.items():
        status, job = call("GET", f"/routing/jobs/{name}")
        assert status == 200, (name, stage, job)
        assert RANKS[job["status"]] >= RANKS[stage], (name, stage, job)
        if name in history.assignments:
            assert list(job["assignments"]) == [history.assignments[name]], (name, job)


def each_event(call: Caller) -> Iterator[dict[str, Any]]:
    """All events in their order; no entry is missing."""
    after, last = "", None
    while True:
        status, page = call("GET", f"/ext/v1/events?limit=500{after}")
        assert status == 200, page
        for entry in page["value"]:
            assert last is None or entry["previous"] == last, entry
            last = entry["id"]
            yield from entry["events"]
        if len(page["value"]) < 500:
            return
        after = f"&after={page['next']}"


def all_events(call: Caller) -> list[dict[str, Any]]:
    """The same, at once."""
    return list(each_event(call))


def kind_of(event: dict[str, Any]) -> str:
    """The last part of an event's type."""
    return str(event["eventType"].rpartition(".")[2])


def once(events: list[dict[str, Any]], history: Ledger) -> None:
    """What was acknowledged has happened once, whatever was repeated; nothing has happened twice."""
    counts = Counter((kind_of(event), event["data"].get("jobId")) for event in events)
    for kind, stage in _ONCE.items():
        for name, reached in history.stages.items():
            count = counts[kind, name]
            assert count <= 1, (kind, name, count)
            assert count == 1 or RANKS[reached] < RANKS[stage], (kind, name, reached)


def seconds(text: str) -> float:
    """A time of an event, in seconds."""
    return datetime.fromisoformat(text).timestamp()


def ends_of_offers(call: Caller, latest: float = OUTAGE_SECONDS + 1.5) -> list[str]:
    """How the offers to the lazy workers have ended: each at its time, and the workers are signed off."""

    def signed_off() -> bool:
        return all(call("GET", f"/routing/workers/{name}")[1]["state"] == "inactive" for name in LAZY)

    eventually(signed_off, "lazy workers are signed off")
    ends: dict[str, list[dict[str, Any]]] = defaultdict(list)
    events = [event for event in all_events(call) if event["data"].get("workerId") in LAZY]
    for event in events:
        if kind_of(event) in [_OFFER + end for end in _ENDS]:
            ends[event["data"]["offerId"]].append(event)
    issued = [event for event in events if kind_of(event) == f"{_OFFER}Issued"]
    assert len(issued) >= len(LAZY)
    words = []
    for event in issued:
        (end,) = ends.pop(event["data"]["offerId"])
        word = kind_of(end).removeprefix(_OFFER)
        late = seconds(end["eventTime"]) - seconds(event["data"]["expiresOn"])
        assert word in ("Expired", "Revoked"), end
        assert late >= 0, end
        assert late <= latest or word == "Revoked", (late, end)
        words.append(word)
    assert ends == {}
    return words


def sound(*arguments: str) -> None:
    """``jobrouter check`` finds nothing."""
    with jobrouter("check", *arguments) as it:
        assert it.process.wait(15) == 0, it.rest()
        assert " 0 problems" in it.rest()
