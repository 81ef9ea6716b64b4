"""What time alone does: the end of old jobs, retention of finished ones and of events, order of due rows."""

from __future__ import annotations

import pytest

from engine import commands as c
from tests.stories.router import START, Router

DAY = 86_400_000


@pytest.mark.parametrize("state", ["queued", "suspended", "assigned"])
def test_job_of_ninety_days_expires(router: Router, state: str) -> None:
    router.job("j1", mode="suspend" if state == "suspended" else "queueAndMatch")
    if state == "assigned":
        router.worker("w1")
        router.accept("w1", "j1")
    router.at(90 * DAY - 1)
    assert router.status("j1") not in ("cancelled", "closed")
    router.told()
    router.at(90 * DAY)
    job = router.read("j1")
    assert (job.status, job.disposition) == ("cancelled", "Expired")
    assert "JobCancelled j1" in router.told()


def test_job_with_a_new_life_has_ninety_more_days(router: Router) -> None:
    router.job("j1")
    router.cancel("j1")
    router.at(50 * DAY)
    router.job("j1")
    router.at(140 * DAY - 1)
    assert router.status("j1") == "queued"
    router.at(140 * DAY)
    assert router.status("j1") == "cancelled"


def test_finished_jobs_are_removed_after_a_while_without_an_event(router: Router) -> None:
    router.job("j1")
    router.at(DAY)
    router.cancel("j1")
    router.at(91 * DAY - 1)
    assert router.status("j1") == "cancelled"
    router.told()
    router.at(91 * DAY)
    with router.refuses("NOT_FOUND"):
        router.read("j1")
    assert router.told() == []


def test_finished_jobs_beyond_a_number_are_removed_oldest_first(router: Router) -> None:
    router.settings(keep_finished_count=2)
    for n in range(4):
        router.at(n)
        router.job(f"j{n}")
        router.cancel(f"j{n}")
    router.sweep()
    assert [row["id"] for row in router.run(c.JobList())["rows"]] == ["j3", "j2"]


def test_retention_goes_on_batch_by_batch(router: Router) -> None:
    router.settings(keep_finished_count=1, keep_events_count=1, batch=2)
    for n in range(6):
        router.job(f"j{n}")
        router.cancel(f"j{n}")
    assert router.sweep()["more"] == 1
    while router.sweep()["more"]:
        pass
    assert len(router.run(c.JobList())["rows"]) == 1
    assert len(router.run(c.EventList())["rows"]) == 1


def test_events_are_kept_by_age(router: Router) -> None:
    router.job("j1")
    router.at(DAY)
    router.job("j2")
    first, second = (row["op"] for row in router.run(c.EventList())["rows"])
    router.at(7 * DAY)
    listed = router.run(c.EventList())
    assert (listed["oldest"], [row["op"] for row in listed["rows"]]) == (second, [second])
    assert router.run(c.EventList(after=second))["next"] == second
    router.at(8 * DAY)
    assert router.run(c.EventList())["oldest"] == 0
    assert first < second


def test_events_name_their_cause_and_the_one_before(router: Router) -> None:
    router.worker("w1")
    router.job("j1", request_id="r1")
    router.at(60_000)
    rows = router.run(c.EventList())["rows"]
    assert [(row["call"], row.get("request", "")) for row in rows] == [
        ("jr_worker_upsert", ""),
        ("jr_job_create", "r1"),
        ("offer", ""),
    ]
    assert [row["prev"] for row in rows] == [0, rows[0]["op"], rows[1]["op"]]


def test_due_rows_go_by_time_and_each_has_its_number(router: Router) -> None:
    router.settings(outage_ms=0)
    router.worker("w1", capacity=2)
    router.job("j1")
    router.at(1)
    router.job("j2")
    router.worker("w2")
    router.told()
    router.outage(60_001)
    before = router.run(c.RouterStatus())["op"]
    reply = router.sweep()
    # the second offer was revoked with its worker: only one row was left to do
    assert (reply["done"], reply["op"]) == (1, before + 1)
    assert router.told() == [
        "OfferExpired w1 j1",
        "OfferRevoked w1 j2",
        "WorkerDeregistered w1",
        "OfferIssued w2 j1",
    ]


def test_a_batch_bounds_the_due_rows_of_a_call(router: Router) -> None:
    router.settings(batch=2, outage_ms=0)
    for n in range(5):
        router.worker(f"w{n}")
        router.job(f"j{n}")
    router.outage(60_000)
    assert [router.sweep()["done"] for _ in range(3)] == [2, 2, 1]


def test_offers_past_their_time_but_not_swept_cannot_be_accepted(router: Router) -> None:
    router.settings(batch=1, outage_ms=0)
    for n in range(3):
        router.worker(f"w{n}")
        router.job(f"j{n}")
    last = router.offer_id("w2", "j2")
    router.outage(60_000)
    with pytest.raises(Exception, match="NOT_FOUND"):
        router.run(c.OfferAccept("w2", last))


def test_router_status_tells_how_late_it_is(router: Router) -> None:
    router.worker("w1")
    router.job("j1")
    router.outage(61_500)
    status = router.run(c.RouterStatus())
    assert (status["next"], status["overdue_ms"], status["swept_at"]) == (START + 60_000, 1_500, START)


def test_settings_are_shown_and_return_to_their_defaults(router: Router) -> None:
    router.settings(batch=7, keep_finished_ms=5)
    status = router.run(c.RouterStatus())
    assert (status["batch"], status["keep_finished_ms"], status["outage_ms"]) == (7, 5, 5_000)
    router.settings()
    assert router.run(c.RouterStatus())["batch"] == 100
