"""The life of a job or worker from the outbox: events, states between them, and where it is cut off."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from api.history import life
from api.wire import history as wire
from engine import commands as c
from tests.stories.router import START, Router


def pages(router: Router, command: type[c.JobHistory | c.WorkerHistory], entity_id: str, limit: int) -> Any:
    """All pages, as replies."""
    before = ""
    while True:
        reply = router.run(command(entity_id, before, limit))
        yield reply
        before = reply["next"]
        if not before:
            return


def told(router: Router, command: type[c.JobHistory | c.WorkerHistory], entity_id: str) -> list[str]:
    """The kinds of all events, oldest first."""
    rows = [row for page in pages(router, command, entity_id, 100) for row in page["rows"]]
    return [row["kind"].removeprefix("Router") for row in reversed(rows)]


def told_life(router: Router, kind: str, entity_id: str, before: str = "", limit: int = 1000) -> wire.Page:
    """A page as the interface shows it."""

    async def run(command: c.Command) -> Any:
        return router.run(command)

    return asyncio.run(life(run, kind, entity_id, before, limit))


def states(page: wire.Page) -> list[tuple[str, object, object]]:
    """Type, state and seconds of the events, oldest first."""
    return [(row.type.removeprefix("Router"), row.state, row.seconds) for row in reversed(page.value)]


@pytest.fixture
def busy(router: Router) -> Router:
    """j1 declined by w1, then served by w2, half an hour after it came; j2 cancelled while w1 serves it."""
    router.worker("w1")
    router.job("j1")
    router.at(1_000)
    router.decline("w1", "j1")
    router.at(3_000)
    router.worker("w2")
    router.at(4_000)
    router.accept("w2", "j1")
    router.job("j2")
    router.accept("w1", "j2")
    router.at(64_000)
    router.complete("j1")
    router.at(70_000)
    router.close("j1")
    router.cancel("j2")
    router.at(80_000)
    return router


def test_job_history(busy: Router) -> None:
    assert told(busy, c.JobHistory, "j1") == [
        *("JobReceived", "JobQueued", "WorkerOfferIssued", "WorkerOfferDeclined"),
        *("WorkerOfferIssued", "WorkerOfferAccepted", "JobCompleted", "JobClosed"),
    ]
    reply = busy.run(c.JobHistory("j1", limit=1))
    (row,) = reply["rows"]
    assert (row["at"], row["call"], row["request"]) == (str(START + 70_000), "jr_assignment_close", "")
    assert json.loads(row["event"])["data"]["jobId"] == "j1"
    assert (reply["status"], reply["offers"], reply["now"]) == ("closed", 0, START + 80_000)


def test_worker_history(busy: Router) -> None:
    """What frees a worker is one of its events, a completed job is not."""
    assert told(busy, c.WorkerHistory, "w2") == [
        *("WorkerRegistered", "WorkerOfferIssued", "WorkerOfferAccepted", "JobClosed"),
    ]
    assert told(busy, c.WorkerHistory, "w1") == [
        *("WorkerRegistered", "WorkerOfferIssued", "WorkerOfferDeclined"),
        *("WorkerOfferIssued", "WorkerOfferAccepted", "JobCancelled"),
    ]
    reply = busy.run(c.WorkerHistory("w2"))
    assert (reply["state"], reply["offers"], reply["assignments"]) == ("active", 0, 0)


def test_unassigned_job_is_in_both_histories(router: Router) -> None:
    router.worker("w1")
    router.job("j1")
    router.accept("w1", "j1")
    router.unassign("j1")
    assert told(router, c.WorkerHistory, "w1")[-2:] == ["JobUnassigned", "WorkerOfferIssued"]
    assert told(router, c.JobHistory, "j1")[-3:] == ["JobUnassigned", "JobQueued", "WorkerOfferIssued"]


def test_states_of_a_job(busy: Router) -> None:
    page = told_life(busy, "job", "j1")
    assert states(page) == [
        ("JobReceived", "created", 0),
        ("JobQueued", "waiting", 0),
        ("WorkerOfferIssued", "offered", 1),
        ("WorkerOfferDeclined", "waiting", 2),
        ("WorkerOfferIssued", "offered", 1),
        ("WorkerOfferAccepted", "assigned", 60),
        ("JobCompleted", "wrapUp", 6),
        ("JobClosed", "closed", wire.UNSET),
    ]
    assert page.state == "closed"
    assert page.durations == {"assigned": 60, "created": 0, "offered": 2, "waiting": 2, "wrapUp": 6}


def test_states_of_workers(busy: Router) -> None:
    assert states(told_life(busy, "worker", "w2")) == [
        ("WorkerRegistered", "idle", 0),
        ("WorkerOfferIssued", "offered", 1),
        ("WorkerOfferAccepted", "busy", 66),
        ("JobClosed", "idle", 10),
    ]
    busy.worker("w2", available=False)
    busy.at(90_000)
    page = told_life(busy, "worker", "w2")
    assert states(page)[-2:] == [("WorkerDeregistered", "inactive", 0), ("WorkerUpdated", "inactive", 10)]
    assert page.state == "inactive"


def test_a_page_does_not_change_the_states(busy: Router) -> None:
    """However small the pages are, the states and times are those of the whole."""
    for kind, entity_id in (("job", "j1"), ("job", "j2"), ("worker", "w1"), ("worker", "w2")):
        whole = told_life(busy, kind, entity_id)
        for limit in (1, 2, 3):
            before, rows = "", []
            while True:
                page = told_life(busy, kind, entity_id, before, limit)
                rows += page.value
                if page.next is wire.UNSET:
                    break
                before = str(page.next)
            assert rows == whole.value, (kind, entity_id, limit)


def test_state_without_an_event_of_its_own(router: Router) -> None:
    """A job that waits is scheduled for later: no event tells so, but the present state does."""
    router.job("j1")
    router.at(5_000)
    router.job("j1", mode="scheduleAndSuspend", schedule_at=START + 60_000)
    page = told_life(router, "job", "j1")
    assert (page.state, page.value[0].state) == ("scheduled", "scheduled")


def test_offers_side_by_side(router: Router) -> None:
    router.policy(offers=3)
    for name in ("w1", "w2", "w3"):
        router.worker(name)
    router.job("j1")
    router.decline("w1", "j1")
    router.decline("w2", "j1")
    router.at(1_000)
    router.decline("w3", "j1")
    router.at(3_000)
    page = told_life(router, "job", "j1")
    assert [state for _, state, _ in states(page)][-4:] == ["offered", "offered", "offered", "waiting"]
    assert page.durations == {"created": 0, "offered": 1, "waiting": 2}


@pytest.fixture
def cut(busy: Router) -> Router:
    """Of j1's events only the last two are kept."""
    entries = busy.run(c.EventList())["rows"]
    kept = next(i for i, row in enumerate(entries) if row["call"] == "jr_assignment_complete")
    busy.settings(keep_events_count=len(entries) - kept)
    busy.sweep()
    return busy


def test_history_that_is_cut_off(cut: Router) -> None:
    reply = cut.run(c.JobHistory("j1"))
    assert [row["kind"] for row in reply["rows"]] == ["RouterJobClosed", "RouterJobCompleted"]
    accepted = reply["cut"]
    assert reply["next"] == ""
    assert reply["oldest"] == int(reply["rows"][-1]["op"]) > int(accepted.split(".")[0])
    page = told_life(cut, "job", "j1")
    assert page.cut == wire.Cut(accepted, f"{reply['oldest']}-0")
    assert page.durations == {"wrapUp": 6}
    # the page before an event that is not kept any more
    assert cut.run(c.JobHistory("j1", accepted)) | {"oldest": 0} == {
        "now": START + 80_000,
        "ends_at": 0,
        "next": "",
        "cut": accepted,
        "oldest": 0,
        "rows": [],
        "status": "closed",
        "offers": 0,
    }
    # a page that ends where the log is cut tells so on the next
    assert cut.run(c.JobHistory("j1", limit=2))["next"] == reply["rows"][-1]["place"]
    assert cut.run(c.JobHistory("j1", reply["rows"][-1]["place"]))["cut"] == accepted


def test_state_that_the_log_does_not_tell(cut: Router) -> None:
    """Of w2 only the end of its work is kept: that leaves open what it held beside it."""
    page = told_life(cut, "worker", "w2")
    assert [(row.type, row.state) for row in page.value] == [("RouterJobClosed", "idle")]
    cut.worker("w2", tags={"a": 1})
    page = told_life(cut, "worker", "w2")
    assert [(row.type, row.state) for row in page.value] == [
        ("RouterWorkerUpdated", "idle"),
        ("RouterJobClosed", wire.UNSET),
    ]


def test_state_that_an_offer_tells(busy: Router) -> None:
    """An offer tells what its worker held, so a worker's state is known though its beginning is not kept."""
    busy.worker("w2", available=False)
    busy.worker("w1", capacity=3)
    busy.job("j3")
    busy.accept("w1", "j3")
    busy.job("j4")
    entries = busy.run(c.EventList())["rows"]
    busy.settings(keep_events_count=1)
    busy.sweep()
    assert len(entries) > 1
    page = told_life(busy, "worker", "w1")
    assert [(row.type, row.state) for row in page.value] == [("RouterWorkerOfferIssued", "busy")]
    assert page.cut
    busy.decline("w1", "j4")
    assert told_life(busy, "worker", "w1").value[0].state == "busy"


def test_history_without_any_log(busy: Router) -> None:
    busy.settings(keep_events_ms=1)
    busy.at(100_000)
    reply = busy.run(c.JobHistory("j1"))
    assert (reply["rows"], reply["oldest"]) == ([], 0)
    assert reply["cut"]


def test_deleted_job(busy: Router) -> None:
    """Its history is gone with it, but for who knows one of its events, as the log tells of its deletion."""
    busy.run(c.JobDelete("j1"))
    with busy.refuses("NOT_FOUND"):
        busy.run(c.JobHistory("j1"))
    (deleted,) = [row for row in busy.run(c.EventList())["rows"] if row["call"] == "jr_job_delete"]
    reply = busy.run(c.JobHistory("j1", f"{deleted['op']}.1"))
    assert [row["kind"] for row in reply["rows"]][:2] == ["RouterJobClosed", "RouterJobCompleted"]
    assert "status" not in reply
    # another job of this id has a history of its own
    busy.job("j1")
    assert told(busy, c.JobHistory, "j1")[0] == "JobReceived"


def test_new_life_of_a_job(busy: Router) -> None:
    busy.job("j1")
    assert told(busy, c.JobHistory, "j1")[7:9] == ["JobClosed", "JobReceived"]


def test_unknown(router: Router) -> None:
    for command in (c.JobHistory("x"), c.WorkerHistory("x"), c.JobHistory("x", "1.1")):
        with router.refuses("NOT_FOUND"):
            router.run(command)


def test_place_of_another(busy: Router) -> None:
    place = busy.run(c.JobHistory("j1", limit=1))["rows"][0]["place"]
    op = place.split(".")[0]
    for command in (c.JobHistory("j2", place), c.WorkerHistory("w1", place), c.JobHistory("j1", f"{op}.9")):
        with busy.refuses("INVALID"):
            busy.run(command)


def test_page_of_large_events(router: Router) -> None:
    """A page ends early where its events are large; the next goes on."""
    labels = {f"l{n}": "x" * 1_000 for n in range(100)}
    router.job("j1", labels=labels)
    for n in range(15):
        router.job("j1", labels={**labels, "n": n})
    lengths, before = [], ""
    while before or not lengths:
        page = router.pair.store.run(c.JobHistory("j1", before), START)
        before = page["next"]
        lengths.append(len(page["rows"]))
    assert len(lengths) > 1
    assert max(lengths) * 100_000 < 1_300_000
    assert sum(lengths) == 17


def test_worker_without_events(router: Router) -> None:
    router.worker("w9", available=False)
    page = told_life(router, "worker", "w9")
    assert (page.value, page.state, page.next, page.cut) == ([], "inactive", wire.UNSET, wire.UNSET)
