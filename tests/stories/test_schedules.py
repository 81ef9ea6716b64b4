"""Scheduled jobs: they wait for their time, then for their activation, and only then in their queue."""

from __future__ import annotations

import pytest

from engine import commands as c
from tests.stories.router import START, Router, wants
from tests.twin.model import DAY

SCHEDULED = "scheduleAndSuspend"
HOUR = 3_600_000
YEAR_2100 = 4_102_444_800_000


def schedule(router: Router, time: int, job_id: str = "j1", **more: object) -> dict[str, object]:
    """A job that must not be activated before a time of the story."""
    return router.job(job_id, mode=SCHEDULED, schedule_at=START + time, **more)


def found(router: Router, **filters: int | str) -> list[str]:
    """The jobs of a list."""
    return [row["id"] for row in router.run(c.JobList(**filters))["rows"]]  # type: ignore[arg-type]


def test_the_path_of_a_scheduled_job(router: Router) -> None:
    """It is scheduled, then waits for its activation, and is offered only once a client activates it."""
    router.worker("w1")
    router.told()
    reply = schedule(router, HOUR)
    assert (reply["outcome"], reply["status"]) == ("created", "pendingSchedule")
    job = router.read("j1")
    assert (job.status, job.schedule_at, job.scheduled_at) == ("scheduled", START + HOUR, 0)
    (received,) = router.events()
    assert received["eventType"].endswith("JobReceived")
    assert received["data"]["jobStatus"] == "PendingSchedule"
    assert received["data"]["scheduledOn"] == "2023-11-14T23:13:20.000Z"
    assert received["data"]["unavailableForMatching"] is True
    router.at(HOUR - 1)
    assert router.status("j1") == "scheduled"
    router.at(HOUR)
    job = router.read("j1")
    assert (job.status, job.mode, job.scheduled_at) == ("waitingForActivation", SCHEDULED, START + HOUR)
    (waiting,) = router.events()
    assert waiting["eventType"].endswith("JobWaitingForActivation")
    assert waiting["data"]["scheduledOn"] == "2023-11-14T23:13:20.000Z"
    assert waiting["data"]["unavailableForMatching"] is True
    assert (router.order(), router.offers("w1")) == ([], [])
    router.at(2 * HOUR)
    reply = router.job("j1", mode="queueAndMatch", priority=10)
    assert (reply["status"], reply["priority"]) == ("queued", 10)
    job = router.read("j1")
    assert (job.mode, job.schedule_at, job.scheduled_at) == ("queueAndMatch", 0, START + HOUR)
    assert job.enqueued_at == START + 2 * HOUR
    assert router.told() == ["JobQueued j1", "OfferIssued w1 j1"]
    assert router.offers("w1") == ["j1"]


def test_it_comes_due_when_somebody_notices(router: Router) -> None:
    """The time shown is the one at which the schedule really took effect."""
    schedule(router, HOUR)
    router.outage(HOUR + 700)
    router.sweep()
    assert router.read("j1").scheduled_at == START + HOUR + 700


@pytest.mark.parametrize("time", [0, -1, -DAY, 1 - START])
def test_a_time_that_has_passed(router: Router, time: int) -> None:
    reply = schedule(router, time)
    assert reply["status"] == "pendingSchedule"
    assert router.status("j1") == "waitingForActivation"
    assert router.read("j1").scheduled_at == START
    assert router.told() == ["JobReceived j1", "JobWaitingForActivation j1"]


def test_a_time_far_ahead(router: Router) -> None:
    """No time is too far; but as every job it ends 90 days after its creation."""
    router.job("j1", mode=SCHEDULED, schedule_at=YEAR_2100)
    assert router.read("j1").schedule_at == YEAR_2100
    assert router.status("j1") == "scheduled"
    router.at(90 * DAY)
    assert (router.status("j1"), router.read("j1").disposition) == ("cancelled", "Expired")


def test_it_may_be_activated_early(router: Router) -> None:
    schedule(router, HOUR)
    router.told()
    assert router.job("j1", mode="queueAndMatch")["status"] == "queued"
    job = router.read("j1")
    assert (job.schedule_at, job.scheduled_at, job.enqueued_at) == (0, 0, START)
    assert router.told() == ["JobQueued j1"]
    router.at(2 * HOUR)
    assert (router.status("j1"), router.told()) == ("queued", [])


def test_it_may_be_suspended_early(router: Router) -> None:
    schedule(router, HOUR)
    router.told()
    assert router.job("j1", mode="suspend")["status"] == "waitingForActivation"
    assert router.told() == ["JobWaitingForActivation j1"]
    router.at(2 * HOUR)
    assert (router.read("j1").scheduled_at, router.told()) == (0, [])


def test_it_may_be_scheduled_anew(router: Router) -> None:
    """For later or earlier while it is scheduled, and again while it waits for its activation."""
    schedule(router, HOUR)
    assert schedule(router, 2 * HOUR)["status"] == "scheduled"
    router.at(HOUR)
    assert router.status("j1") == "scheduled"
    schedule(router, HOUR + 5)
    router.at(HOUR + 5)
    assert router.status("j1") == "waitingForActivation"
    router.told()
    assert schedule(router, 3 * HOUR)["status"] == "scheduled"
    assert router.read("j1").scheduled_at == 0
    router.at(3 * HOUR)
    assert router.read("j1").scheduled_at == START + 3 * HOUR
    assert schedule(router, HOUR)["status"] == "waitingForActivation"
    assert router.told() == ["JobWaitingForActivation j1"] * 2


def test_a_waiting_job_may_be_scheduled(router: Router) -> None:
    """It leaves its queue, its offers are revoked; it comes back with its seniority."""
    router.worker("w1")
    router.job("j1")
    router.job("j2")
    router.told()
    assert schedule(router, HOUR)["status"] == "scheduled"
    assert router.told() == ["OfferRevoked w1 j1", "OfferIssued w1 j2"]
    assert router.order() == ["j2"]
    router.at(HOUR)
    router.job("j1", mode="queueAndMatch")
    assert router.order() == ["j1", "j2"]
    assert router.read("j1").enqueued_at == START


def test_what_is_sent_back_unchanged_has_no_effect(router: Router) -> None:
    """Neither while it is scheduled nor while it waits; other fields are only stored."""
    schedule(router, HOUR)
    router.told()
    schedule(router, HOUR, labels={"a": 1})
    assert router.status("j1") == "scheduled"
    router.at(HOUR)
    assert router.told() == ["JobWaitingForActivation j1"]
    schedule(router, HOUR, priority=7, tags={"b": 1})
    assert (router.status("j1"), router.told()) == ("waitingForActivation", [])


def test_an_assigned_job_only_keeps_the_mode(router: Router) -> None:
    router.worker("w1")
    router.job("j1")
    router.accept("w1", "j1")
    assert schedule(router, HOUR)["status"] == "assigned"
    router.at(2 * HOUR)
    assert (router.status("j1"), router.read("j1").scheduled_at) == ("assigned", 0)
    router.unassign("j1", suspend=True)
    job = router.read("j1")
    assert (job.status, job.mode, job.schedule_at) == ("waitingForActivation", "suspend", 0)


def test_a_scheduled_job_can_be_cancelled_and_comes_back_scheduled(router: Router) -> None:
    schedule(router, HOUR)
    router.told()
    router.cancel("j1")
    assert router.told() == ["JobCancelled j1"]
    assert router.job("j1", priority=3)["status"] == "pendingSchedule"
    router.at(HOUR)
    router.cancel("j1")
    router.run(c.JobDelete("j1"))
    router.at(2 * HOUR)


def test_a_new_life_keeps_when_the_schedule_came_due(router: Router) -> None:
    schedule(router, HOUR)
    router.at(HOUR)
    router.cancel("j1")
    router.job("j1", mode="queueAndMatch")
    assert router.read("j1").scheduled_at == START + HOUR


def test_an_active_job_is_in_the_way_of_deletion(router: Router) -> None:
    schedule(router, HOUR)
    with router.refuses("IN_USE", "active"):
        router.run(c.JobDelete("j1"))
    with router.refuses("IN_USE", "jobs"):
        router.run(c.QueueDelete("q"))
    with router.refuses("INVALID", "no classification policy"):
        router.run(c.JobReclassify("j1"))


def test_its_queue_may_change_while_it_is_scheduled(router: Router) -> None:
    router.queue("q2")
    schedule(router, HOUR)
    router.job("j1", queue="q2")
    router.at(HOUR)
    router.job("j1", mode="queueAndMatch")
    assert (router.order("q"), router.order("q2")) == ([], ["j1"])


def test_clocks_of_selectors_start_when_it_is_queued(router: Router) -> None:
    schedule(router, HOUR, selectors=[wants("a", "=", 1, seconds=60)])
    router.at(2 * HOUR)
    router.job("j1", mode="queueAndMatch")
    router.told()
    router.at(2 * HOUR + 59_999)
    assert router.told() == []
    router.at(2 * HOUR + 60_000)
    assert router.told() == ["JobWorkerSelectorsExpired j1"]


def test_what_is_told_of_selectors_when_it_waits(router: Router) -> None:
    """All of them, and once more those that have run out."""
    kept = wants("b", "=", 1)
    router.job("j1", selectors=[wants("a", "=", 1, seconds=60), kept])
    router.at(60_000)
    router.events()
    schedule(router, 60_000)
    (waiting,) = router.events()
    told = [selector["key"] for selector in waiting["data"]["requestedWorkerSelectors"]]
    expired = [selector["key"] for selector in waiting["data"]["expiredRequestedWorkerSelectors"]]
    assert (told, expired) == (["a", "b"], ["a"])
    assert waiting["data"]["expiredAttachedWorkerSelectors"] == []


def test_lists_by_status_and_time(router: Router) -> None:
    """By the time set while it is scheduled, then by the time at which it came due; both inclusive."""
    schedule(router, HOUR)
    schedule(router, 3 * HOUR, "j2")
    router.job("j3", mode="suspend")
    router.job("j4")
    at = START + HOUR
    assert found(router, status="scheduled") == ["j2", "j1"]
    assert found(router, status="active") == ["j4", "j3", "j2", "j1"]
    assert found(router, scheduled_before=at) == ["j1"]
    assert found(router, scheduled_before=at - 1) == []
    assert found(router, scheduled_after=at) == ["j2", "j1"]
    assert found(router, scheduled_after=at + 1) == ["j2"]
    router.outage(HOUR + 500)
    router.sweep()
    assert found(router, status="scheduled") == ["j2"]
    assert found(router, status="waitingForActivation") == ["j3", "j1"]
    assert found(router, scheduled_before=at) == []
    assert found(router, scheduled_after=at + 500, scheduled_before=at + 500) == ["j1"]
    router.job("j2", mode="queueAndMatch")
    assert found(router, scheduled_after=1) == ["j1"]


@pytest.mark.parametrize("given", [{"mode": SCHEDULED}, {"mode": "suspend", "schedule_at": 1}])
def test_mode_and_time_go_together(router: Router, given: dict[str, object]) -> None:
    with router.refuses("BAD_CALL", "schedule_at"):
        router.job("j1", **given)
