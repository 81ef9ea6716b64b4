"""The checks of the proofs find what they are there for."""

from __future__ import annotations

import pytest

from engine.commands import AssignmentClose, AssignmentComplete, OfferAccept, OfferDecline, WorkerRead
from tests.chaos.event_log import EventLog
from tests.chaos.kept import read_jobs
from tests.chaos.ledger import Ledger
from tests.chaos.timers import forgotten, lateness, set_timer, unended
from tests.support import SyncStore

OFFERED = ["RouterJobReceived", "RouterJobQueued", "RouterWorkerOfferIssued"]
DONE = ["RouterWorkerOfferAccepted", "RouterJobCompleted", "RouterJobClosed"]


def offered(store: SyncStore, root: str) -> str:
    """An offer of the job ``j`` to the worker ``j``."""
    store.load()
    set_timer(store, root, "j", 60_000)
    worker = store.run(root, WorkerRead("j"))
    (offer,) = (name.removeprefix("o:") for name in worker if name.startswith("o:"))
    return offer


@pytest.fixture
def assignment(store: SyncStore, root: str) -> str:
    """The job ``j`` of the worker ``j``, closed; gives its assignment."""
    offer = offered(store, root)
    accepted = str(store.run(root, OfferAccept("j", offer))["assignment"])
    store.run(root, AssignmentComplete("j", accepted))
    store.run(root, AssignmentClose("j", accepted))
    return accepted


def test_a_sound_log(store: SyncStore, root: str, assignment: str) -> None:
    log, jobs = EventLog(store, root), read_jobs(store, root, ["j", "missing"])
    assert [event.kind for event in log.events if event.data.get("jobId")] == [*OFFERED, *DONE]
    assert list(jobs) == ["j"]
    assert (log.gaps, log.repeated(), log.out_of_order(), log.untold(jobs), unended(log)) == (
        [],
        [],
        [],
        [],
        [],
    )
    assert lateness(log, lambda _: True) == []


@pytest.mark.parametrize("place", range(1, 6))
def test_a_lost_entry(store: SyncStore, root: str, assignment: str, place: int) -> None:
    entries = store.redis.xrange(f"{root}:events")
    store.redis.xdel(f"{root}:events", entries[-place][0])
    log = EventLog(store, root)
    assert len(log.gaps) == 1
    if place < 5:
        missed = [*log.out_of_order(), *log.untold(read_jobs(store, root, ["j"]))]
        assert missed, log.events


def test_an_entry_that_comes_twice(store: SyncStore, root: str, assignment: str) -> None:
    last, fields = store.redis.xrange(f"{root}:events")[-1]
    store.redis.xadd(f"{root}:events", fields, f"{int(last.split('-')[0]) + 1}-0")
    log = EventLog(store, root)
    assert len(log.gaps) == 2
    assert any("RouterJobClosed j" in text for text in log.repeated())
    assert any(text.startswith("the id ") for text in log.repeated())


def test_an_offer_that_is_open_or_ends_while_one_looks_is_not_forgotten(store: SyncStore, root: str) -> None:
    offer = offered(store, root)
    log = EventLog(store, root)
    assert (unended(log), forgotten(store, root, log)) == ([offer], [])
    store.run(root, OfferDecline("j", offer))
    assert forgotten(store, root, log) == []


def test_a_forgotten_offer(store: SyncStore, root: str) -> None:
    offer = offered(store, root)
    store.redis.hdel(f"{root}:worker:j", f"o:{offer}")
    assert forgotten(store, root, EventLog(store, root)) == [offer]


def test_what_is_lost(store: SyncStore, root: str, assignment: str) -> None:
    jobs = read_jobs(store, root, ["j"])
    ledger = Ledger()
    ledger.note("j", "created")
    ledger.note("j", "closed", assignment)
    assert ledger.lost(jobs) == []
    ledger.note("j", "assigned", "another")
    ledger.note("never", "created")
    assert [(ack.job, ack.stage) for ack in ledger.lost(jobs)] == [("j", "assigned"), ("never", "created")]
    jobs["j"]["status"] = "completed"
    assert ("j", "closed") in [(ack.job, ack.stage) for ack in ledger.lost(jobs)]
