"""A preview tells what would become of a job, and writes nothing.

That it tells the truth is tested with every random creation of the twin (tests/twin/preview.py).
"""

from __future__ import annotations

from typing import Any

import pytest

from engine import commands as c
from engine.exception_rules import Cancel, Change
from engine.model import members_text, selectors_text
from engine.pipelines import Always, Label
from engine.scoring import Function, scoring_text
from tests.stories.router import START, VOICE, Router, wants
from tests.stories.test_classification import formula, some
from tests.stories.test_exceptions import excepts, fill, length
from tests.stories.test_remote_rules import FUNCTION


def preview(router: Router, job_id: str = "j1", **given: Any) -> Any:
    """What is told of a new job, in queue ``q`` unless its policy decides that; it writes nothing."""
    given = {"channel": VOICE, "queue": "" if given.get("classification") else "q", **given}
    before = router.digest()
    try:
        return router.pair.store.run(c.JobPreview(job_id, **given), START + router.now)
    finally:
        assert router.digest() == before


def about(reply: Any, what: str) -> list[Any]:
    return [row for row in reply["rows"] if row["about"] == what]


def offered(reply: Any) -> list[str]:
    return [row["worker"] for row in about(reply, "offer")]


def test_job_that_is_offered(router: Router) -> None:
    router.policy(offers=2)
    for name in ("w1", "w2", "w3"):
        router.worker(name)
    told = preview(router, priority=7)
    assert (told["status"], told["queue"], told["priority"]) == ("queued", "q", 7)
    assert offered(told) == ["w1", "w2"]
    assert (told["position"], told["length"], told["mode"], told["maximum"]) == (1, 1, "longestIdle", 2)
    assert (told["registered"], told["fitting"], told["ready"]) == (3, 3, 3)
    assert told["pending"] == []
    # asking again tells the same: nothing was taken, no number was used
    assert preview(router, priority=7) == told
    router.job("j1", priority=7)
    assert router.offered("j1") == ["w1", "w2"]


def test_job_that_waits(router: Router) -> None:
    """Its place is among those that wait, and the wait is told by the pace of the queue."""
    router.worker("w1")
    router.job("busy")
    for job, priority in (("a", 1), ("b", 5), ("d", 9)):
        router.job(job, priority=priority)
    told = preview(router, priority=5)
    assert (offered(told), told["position"], told["length"]) == ([], 3, 5)
    (busy,) = about(told, "queue")
    assert (busy["code"], busy["workers"]) == ("busy", 1)
    router.job("j1", priority=5)
    position = router.position("j1")
    assert (position["position"], position["length"]) == (3, 5)
    assert told["wait_minutes"] == position["wait_minutes"]


def test_nobody_fits(router: Router) -> None:
    router.worker("w1", labels={"english": 3})
    told = preview(router, selectors=selectors_text([wants("english", ">=", 5, seconds=60)]))
    (failed,) = about(told, "queue")
    assert (failed["code"], failed["key"], failed["workers"], failed["alone"]) == (
        *("selector_failed", '"english"'),
        *(1, 1),
    )
    (change,) = about(told, "change")
    assert (change["kind"], change["at"], told["admits_ready"]) == ("selectors", START + 60_000, 1)


def test_classification(router: Router) -> None:
    router.queue("fast", labels={"Speed": "high"})
    router.worker("w1", queues=["fast"], labels={"Lang": "en"})
    router.classification(
        priority=formula("If(job.Escalated = true, 10, 5)"),
        workers=[Label('"Lang"', "=")],
        queues=[Always(some(wants("Speed", "=", "high")))],
    )
    labels = members_text({"Escalated": True, "Lang": "en"})
    told = preview(router, classification="c", labels=labels)
    assert (told["status"], told["queue"], told["selected"], told["priority"]) == (
        "queued",
        "fast",
        "fast",
        10,
    )
    assert told["attached"] == '"Lang"\t=\t"en"\t\t0\t'
    assert offered(told) == ["w1"]


def test_classification_that_fails(router: Router) -> None:
    router.classification(priority=formula("1 / job.Size"))
    told = preview(router, classification="c")
    assert (told["status"], told["failed"], told["place"]) == ("classificationFailed", "rule", "priority")
    assert told["message"] == "division by zero"
    router.classification()
    told = preview(router, classification="c")
    assert (told["failed"], told.get("place")) == ("queue", None)


def test_rules_that_others_answer(router: Router) -> None:
    """They are named, and nobody is asked."""
    router.classification(priority=FUNCTION, fallback="q")
    told = preview(router, classification="c")
    assert (told["status"], told["pending"]) == ("pendingClassification", ["priority"])
    assert router.lease() == []


def test_scores_that_others_give(router: Router) -> None:
    router.policy(mode="bestWorker", rules=scoring_text(Function("{}")))
    router.worker("w1")
    assert (offered(preview(router)), preview(router)["pending"]) == (["w1"], [])
    router.worker("w2")
    assert (offered(preview(router)), preview(router)["pending"]) == ([], ["scoring"])
    assert router.lease() == []


def test_exception_rules_on_the_way(router: Router) -> None:
    router.queue("backup")
    router.worker("w1", queues=["backup"], channels={VOICE: 1})
    excepts(router, [length(2, Change("backup", 10, ""))])
    fill(router, 2)
    told = preview(router)
    assert (told["queue"], told["priority"], offered(told)) == ("backup", 10, ["w1"])
    (rule,) = about(told, "rule")
    assert (rule["rule"], rule["policy"]) == ("long", "e")
    excepts(router, [length(2, Cancel(disposition="Full"))])
    told = preview(router)
    assert (told["status"], told["disposition"], offered(told)) == ("cancelled", "Full", [])


@pytest.mark.parametrize(
    ("mode", "at", "status"),
    [
        ("suspend", 0, "waitingForActivation"),
        ("scheduleAndSuspend", START + 60_000, "scheduled"),
        ("scheduleAndSuspend", START - 1, "waitingForActivation"),
    ],
)
def test_job_for_later(router: Router, mode: str, at: int, status: str) -> None:
    router.worker("w1")
    router.classification(fallback="q")
    told = preview(router, classification="c", mode=mode, schedule_at=at)
    assert (told["status"], told["unclassified"], offered(told)) == (status, "1", [])


def test_while_something_is_due(router: Router) -> None:
    """It is told how things stand, and what is due stays due."""
    router.worker("w1")
    router.job("x")
    router.outage(120_000)
    assert offered(preview(router)) == []
    assert router.is_due()
    router.sweep()
    assert router.status("x") == "queued"


def test_events_and_numbers_stay(router: Router) -> None:
    router.worker("w1")
    before = router.pair.store.run(c.RouterStatus(), START)["op"]
    preview(router)
    assert router.pair.store.run(c.RouterStatus(), START)["op"] == before
    router.told()
    router.job("j1")
    assert router.told() == ["JobReceived j1", "JobQueued j1", "OfferIssued w1 j1"]


def test_jobs_that_are_there(router: Router) -> None:
    """A job of this id speaks for itself; one that is over may come again."""
    router.worker("w1")
    router.job("j1")
    with router.refuses("CONFLICT", "queued"):
        preview(router)
    router.cancel("j1")
    assert offered(preview(router)) == ["w1"]


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ({"queue": "none"}, "queue 'none' does not exist"),
        ({"classification": "none"}, "classification policy 'none' does not exist"),
        ({"queue": ""}, "queueId is missing"),
        ({"channel": ""}, "channelId is missing"),
        ({"priority": 101}, "priority"),
    ],
)
def test_refusals_are_those_of_a_creation(router: Router, given: dict[str, Any], text: str) -> None:
    with router.refuses("INVALID", text):
        preview(router, **given)
    with router.refuses("INVALID", text):
        router.run(c.JobCreate("j1", **{"channel": VOICE, "queue": "q", **given}))


def test_more_offers_than_a_call_makes(router: Router) -> None:
    router.settings(batch=10)
    router.policy(offers=5)
    for n in range(5):
        router.worker(f"w{n}")
    told = preview(router)
    assert (offered(told), told["maximum"]) == (["w0", "w1"], 5)


def test_slices(router: Router) -> None:
    """The offers are told once; the rest of the queue is counted slice by slice."""
    for n in range(400):
        router.pair.store.run(
            c.WorkerUpsert(
                f"w{n}",
                capacity=1,
                available=True,
                queues='"q"',
                channels=f'"{VOICE}"\t1\t',
                labels=f'"n":{n}',
            ),
            START,
        )
    replies = [router.pair.store.run(c.JobPreview("j1", VOICE, "q"), START)]
    while replies[-1]["next"]:
        more = c.JobPreview("j1", VOICE, "q", cursor=replies[-1]["next"], sampled=10)
        replies.append(router.pair.store.run(more, START))
    assert len(replies) > 1
    assert sum(reply["registered"] for reply in replies) == 400
    assert [len(about(reply, "offer")) for reply in replies] == [1] + [0] * (len(replies) - 1)
