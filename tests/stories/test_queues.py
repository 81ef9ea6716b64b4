"""Queues and policies: order, statistics, estimated waits, guards of deletion."""

from __future__ import annotations

import pytest

from engine import commands as c
from tests.stories.router import START, Router, wants

MINUTE = 60_000


# ---- order, position, statistics -----------------------------------------------------------------


def test_queue_order_by_priority_then_number(router: Router) -> None:
    for job, priority in (("j1", 1), ("j2", 100), ("j3", -100), ("j4", 1), ("j5", 100)):
        router.job(job, priority=priority)
    assert router.order() == ["j2", "j5", "j1", "j4", "j3"]
    position = router.position("j4")
    assert (position["position"], position["queue"], position["length"]) == (4, "q", 5)


def test_queue_holds_jobs_with_open_offers_but_no_suspended_ones(router: Router) -> None:
    router.worker("w1")
    router.job("j1")
    router.job("j2", mode="suspend")
    assert (router.order(), router.statistics()["length"]) == (["j1"], 1)
    router.accept("w1", "j1")
    assert router.statistics()["length"] == 0


def test_queue_statistics_of_an_empty_queue(router: Router) -> None:
    statistics = router.statistics()
    assert (statistics["length"], statistics["longest_ms"]) == (0, -1)
    assert not [name for name in statistics if name.startswith("wait:")]


def test_queue_statistics_longest_wait_counts_from_the_first_enqueue(router: Router) -> None:
    router.worker("w1")
    router.job("j1")
    router.at(MINUTE // 2)
    router.accept("w1", "j1")
    router.at(2 * MINUTE)
    router.unassign("j1")
    router.job("j2", priority=50)
    router.at(12 * MINUTE)
    assert router.statistics()["longest_ms"] == 12 * MINUTE


def test_estimated_wait_without_acceptances_is_the_longest_wait(router: Router) -> None:
    router.job("j1", priority=10)
    router.job("j2")
    assert router.position("j1")["wait_minutes"] == 1
    router.at(3 * MINUTE + 1)
    statistics = router.statistics()
    assert (statistics["wait:10"], statistics["wait:1"]) == (4, 4)
    assert router.position("j2")["wait_minutes"] == 4


def test_estimated_wait_by_the_pace_of_acceptances(router: Router) -> None:
    router.worker("w1", capacity=9)
    for n, time in enumerate((0, 2 * MINUTE, 3 * MINUTE)):
        router.at(time)
        router.job(f"a{n}")
        router.accept("w1", f"a{n}")
    router.worker("w1", capacity=0)
    for n, priority in enumerate((5, 1, 1, -1)):
        router.job(f"j{n}", priority=priority)
    # 2 minutes, then 0.9 x 2 + 0.1 x 1 = 1.9 minutes between acceptances
    statistics = router.statistics()
    assert (statistics["wait:5"], statistics["wait:1"], statistics["wait:-1"]) == (4, 8, 10)
    assert [router.position(f"j{n}")["wait_minutes"] for n in range(4)] == [2, 4, 6, 8]


@pytest.mark.parametrize("priority", [-100, -99, 1, 99, 100])
def test_estimated_wait_of_expedited_jobs_stands_under_their_priority(router: Router, priority: int) -> None:
    router.job("j1", priority=priority, selectors=[wants("x", "=", 1, expedite=True)])
    assert router.statistics()[f"wait:{priority}"] == 1
    router.job("j2", priority=priority)
    assert [name for name in router.statistics() if name.startswith("wait:")] == [f"wait:{priority}"]


def test_queue_statistics_carry_the_counters_of_the_queue(router: Router) -> None:
    router.at(1_000)
    router.queue(name="n")
    statistics = router.statistics()
    assert (statistics["rev"], int(statistics["modified_at"])) == (2, START + 1_000)


# ---- guards of deletion --------------------------------------------------------------------------


@pytest.mark.parametrize("state", ["queued", "suspended", "assigned", "completed"])
def test_queue_delete_with_an_unfinished_job_is_refused(router: Router, state: str) -> None:
    router.worker("w1")
    router.job("j1", mode="suspend" if state == "suspended" else "queueAndMatch")
    if state in ("assigned", "completed"):
        router.accept("w1", "j1")
    if state == "completed":
        router.complete("j1")
    router.worker("w1", queues=[], available=False)
    with router.refuses("IN_USE", "jobs"):
        router.run(c.QueueDelete("q"))


def test_queue_delete_tells_all_that_uses_it(router: Router) -> None:
    router.job("j1")
    router.worker("w1", available=False)
    router.policy_of("classification", "cp", fallback="q")
    with router.refuses("IN_USE", "jobs fallback workers"):
        router.run(c.QueueDelete("q"))
    router.cancel("j1")
    with router.refuses("IN_USE", "fallback workers"):
        router.run(c.QueueDelete("q"))
    router.policy_of("classification", "cp", fallback="")
    with router.refuses("IN_USE", "workers"):
        router.run(c.QueueDelete("q"))
    router.run(c.WorkerDelete("w1"))
    assert router.run(c.QueueDelete("q"))["outcome"] == "deleted"
    assert router.run(c.QueueDelete("q"))["outcome"] == "absent"


def test_queue_delete_leaves_finished_jobs_which_then_cannot_revive(router: Router) -> None:
    router.job("j1")
    router.cancel("j1")
    router.run(c.QueueDelete("q"))
    assert router.status("j1") == "cancelled"
    with router.refuses("INVALID", "q"):
        router.job("j1")
    router.run(c.JobDelete("j1"))


def test_queue_delete_and_create_anew_forgets_the_past(router: Router) -> None:
    router.policy(mode="roundRobin")
    router.worker("a", capacity=3)
    router.worker("b", capacity=3)
    router.job("j1")
    router.accept("a", "j1")
    router.complete("j1")
    router.close("j1")
    router.worker("a", queues=[])
    router.worker("b", queues=[])
    router.run(c.QueueDelete("q"))
    router.queue()
    router.worker("b", queues=["q"])
    router.worker("a", queues=["q"])
    router.job("j2")
    assert router.offered("j2") == ["a"]


def test_job_moved_away_guards_its_new_queue(router: Router) -> None:
    router.queue("q2")
    router.job("j1")
    router.job("j1", queue="q2")
    assert router.run(c.QueueDelete("q"))["outcome"] == "deleted"
    with router.refuses("IN_USE", "jobs"):
        router.run(c.QueueDelete("q2"))


@pytest.mark.parametrize("kind", ["distribution", "exception"])
def test_policy_delete_while_a_queue_uses_it_is_refused(router: Router, kind: str) -> None:
    router.policy("p2")
    router.policy_of("exception", "e")
    router.queue("q2", distribution="p2", exception="e")
    policy_id = {"distribution": "p2", "exception": "e"}[kind]
    with router.refuses("IN_USE", kind):
        router.run(c.PolicyDelete(kind, policy_id))
    router.queue("q2", distribution="p", exception="")
    assert router.run(c.PolicyDelete(kind, policy_id))["outcome"] == "deleted"
    assert router.run(c.PolicyDelete(kind, policy_id))["outcome"] == "absent"


# ---- references that do not exist ----------------------------------------------------------------


def test_references_must_exist(router: Router) -> None:
    with router.refuses("INVALID", "nope"):
        router.queue("q2", distribution="nope")
    with router.refuses("INVALID", "nope"):
        router.queue("q2", exception="nope")
    with router.refuses("INVALID", "nope"):
        router.job("j1", queue="nope")
    with router.refuses(
        "INVALID", "Provided ClassificationPolicyId: nope for ReclassifyExceptionAction does not exist"
    ):
        router.policy_of("exception", "e", uses=["nope"])
    with router.refuses("INVALID", "nope"):
        router.policy_of("classification", "cp", fallback="nope")
    router.job("j1")
    with router.refuses("INVALID", "nope"):
        router.job("j1", queue="nope")


# ---- counters ------------------------------------------------------------------------------------


def test_counters_of_configuration(router: Router) -> None:
    assert router.queue("q2")["outcome"] == "created"
    assert router.queue("q2", name="n")["outcome"] == "updated"
    assert router.run(c.QueueUpsert(id="q2", distribution="p"))["outcome"] == "exists"
    with router.refuses("CHANGED"):
        router.run(c.QueueUpsert(id="q2", doc=1, distribution="p"))
    with router.refuses("CHANGED"):
        router.run(c.QueueUpsert(id="q9", doc=1, distribution="p"))
    with router.refuses("CHANGED"):
        router.run(c.PolicyUpsert(kind="distribution", id="p", doc=5, expires_ms=1, mode="longestIdle"))


def test_lists_show_the_newest_first_page_by_page(router: Router) -> None:
    for n in range(5):
        router.job(f"j{n}")
        router.worker(f"w{n}", available=False)
        router.queue(f"q{n}")
        router.policy(f"p{n}")
    lists: dict[str, type] = {"j": c.JobList, "w": c.WorkerList, "q": c.QueueList}
    for letter, kind in lists.items():
        shown, cursor = [], 0
        while True:
            page = router.run(kind(limit=2, cursor=cursor))
            shown += [row["id"] for row in page["rows"]]
            cursor = page["next"]
            if not cursor:
                break
        assert shown[:5] == [f"{letter}{n}" for n in (4, 3, 2, 1, 0)]
    rows = router.run(c.PolicyList("distribution", limit=3))["rows"]
    assert [row["id"] for row in rows] == ["p4", "p3", "p2"]


def test_lists_of_jobs_by_status_queue_and_channel(router: Router) -> None:
    router.queue("q2")
    router.worker("w1")
    router.job("j1")
    router.job("j2", queue="q2")
    router.job("j3", channel="chat", mode="suspend")
    router.accept("w1", "j1")
    router.job("j4")
    router.cancel("j4")

    def ids(**given: object) -> list[str]:
        return [row["id"] for row in router.run(c.JobList(**given))["rows"]]  # type: ignore[arg-type]

    assert ids() == ["j4", "j3", "j2", "j1"]
    assert ids(status="active") == ["j3", "j2", "j1"]
    assert ids(status="cancelled") == ["j4"]
    assert ids(status="assigned") == ["j1"]
    assert ids(queue="q2") == ["j2"]
    assert ids(queue="nowhere") == []
    assert ids(channel="chat") == ["j3"]
    assert ids(status="active", queue="q", channel="voice") == ["j1"]


def test_lists_of_workers_by_state_channel_queue_and_room(router: Router) -> None:
    router.worker("w1", capacity=1)
    router.worker("w2", capacity=2, channels={"voice": 1, "chat": (1, 1)}, queues=["q", "q2"])
    router.worker("w3", available=False)
    router.job("j1")
    router.job("j2", channel="chat")

    def ids(**given: object) -> list[str]:
        return [row["id"] for row in router.run(c.WorkerList(**given))["rows"]]  # type: ignore[arg-type]

    assert ids() == ["w3", "w2", "w1"]
    assert ids(state="active") == ["w2", "w1"]
    assert ids(channel="chat") == ["w2"]
    assert ids(queue="q2") == ["w2"]
    assert ids(has_capacity=True) == ["w3", "w2"]
    assert ids(has_capacity=True, channel="chat") == []
