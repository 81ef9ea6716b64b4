"""Each OfferIssued tells how it came about: what was searched, who passed over, how the worker ranked."""

from __future__ import annotations

import json
from typing import Any

import pytest

from engine import commands as c
from engine.scoring import Function, by_expression, scoring_text
from tests.stories.router import Router, wants


def decisions(router: Router) -> list[Any]:
    """Of all offers that were made since the last look, without the worker that was chosen."""
    issued = [event for event in router.events() if event["eventType"].endswith("OfferIssued")]
    found = [event["data"]["decision"] for event in issued]
    for decision in found:
        del decision["worker"]
    return found


def told(way: str, mode: str = "longestIdle", offer: int = 1, **more: object) -> dict[str, object]:
    """A decision as it is told, without the worker."""
    return {"mode": mode, "way": way, "offer": offer, **more}


def last_worker(router: Router) -> Any:
    """What the last offer tells of its worker as it was before."""
    issued = [event for event in router.events() if event["eventType"].endswith("OfferIssued")]
    return issued[-1]["data"]["decision"]["worker"]


def test_longest_idle(router: Router) -> None:
    """Three classes of workers: the search ends at the first that is free, for it has waited longest."""
    for name, level in (("w1", 1), ("w2", 2), ("w3", 3)):
        router.worker(name, labels={"level": level})
    router.job("j1")
    assert decisions(router) == [told("job", searched=1, considered=1)]
    # two lanes do not fit, and are not looked into for workers
    router.job("j2", selectors=[wants("level", ">=", 3)])
    assert decisions(router) == [told("job", searched=1, considered=1)]


def test_scores_that_others_gave(router: Router) -> None:
    """How many the ranking had is told, whoever of them is still free."""
    router.policy(mode="bestWorker", rules=scoring_text(Function('{"url":"https://f.example/"}', batch=5)))
    for worker in ("w1", "w2", "w3"):
        router.worker(worker)
    router.job("j1")
    (row,) = router.lease()
    router.rank(row, ("w3", 9), ("w1", 4), ("w2", None))
    (decision,) = decisions(router)
    assert (decision["score"], decision["ranked"]) == (9, 3)


def test_who_is_passed_over(router: Router) -> None:
    """The least loaded has declined the job, or has an offer of it: the next is asked."""
    router.worker("w2", capacity=5)
    for job in ("x1", "x2"):
        router.job(job)
        router.accept("w2", job)
    router.worker("w1", capacity=5)
    router.policy(offers=2)
    decisions(router)
    router.job("j1")
    assert decisions(router) == [
        told("job", searched=1, considered=1),
        told("job", offer=2, searched=1, considered=2, passed={"offered": 1}),
    ]


def test_who_has_declined(router: Router) -> None:
    router.worker("w1")
    router.worker("w2")
    router.job("j1")
    decisions(router)
    router.decline("w1", "j1")
    assert decisions(router) == [told("job", searched=1, considered=2, passed={"declined": 1})]


def test_worker_that_is_not_asked_for(router: Router) -> None:
    router.worker("w1")
    router.worker("w2")
    router.job("j1", selectors=[wants("Id", "!=", "w1")])
    (decision,) = decisions(router)
    assert (decision["considered"], decision["passed"]) == (2, {"selector": 1})


def test_load_that_shares_a_level(router: Router) -> None:
    """Of more than 8191 units several loads are one level: then each worker is looked at."""
    router.worker("w1", capacity=20_000, channels={"voice": 1, "bulk": 20_000})
    router.worker("w2", capacity=20_000, channels={"voice": 1, "bulk": 20_000})
    router.job("j1")
    router.job("j2", channel="bulk")
    first, second = decisions(router)
    assert "passed" not in first
    assert second["passed"] == {"full": 1}


def test_the_only_worker(router: Router) -> None:
    """Nobody is searched for and nobody ranked."""
    router.policy(mode="roundRobin")
    router.worker("w1")
    router.worker("w2")
    router.job("j1", selectors=[wants("Id", "=", "w2")])
    assert decisions(router) == [told("job", "roundRobin", searched=0, considered=1)]


def test_a_freed_worker_looks_for_a_job(router: Router) -> None:
    """Two classes of jobs wait; it has declined the one of the first, so that of the second is taken."""
    router.worker("w1", labels={"level": 1})
    router.job("j1", selectors=[wants("level", "=", 1)])
    router.decline("w1", "j1")
    router.job("j2")
    router.accept("w1", "j2")
    router.job("j3")
    router.complete("j2")
    decisions(router)
    router.close("j2")
    assert decisions(router) == [told("worker", searched=2, considered=2, passed={"declined": 1})]


def test_round_robin(router: Router) -> None:
    router.policy(mode="roundRobin")
    router.worker("w1")
    router.worker("w2")
    for job in ("j1", "j2"):
        router.job(job)
    assert decisions(router) == [
        told("job", "roundRobin", searched=1, considered=1),
        told("job", "roundRobin", searched=1, considered=1, after="w1"),
    ]


@pytest.mark.parametrize(
    ("formula", "score"), [("worker.skill * 1.5", 4.5), ("worker.skill / 0", None), ('"none"', None)]
)
def test_best_worker_by_a_rule(router: Router, formula: str, score: float | None) -> None:
    """The score of the one that is chosen, exactly; none where it has none."""
    router.policy(mode="bestWorker", rules=scoring_text(by_expression(formula, job_labels=False)))
    router.worker("w1", labels={"skill": 2})
    router.worker("w2", labels={"skill": 3})
    router.job("j1")
    (decision,) = decisions(router)
    assert decision.get("score") == score
    assert (decision["mode"], decision["way"]) == ("bestWorker", "job")


def test_best_worker_by_default(router: Router) -> None:
    router.policy(mode="bestWorker")
    router.worker("w1", labels={"a": 1, "b": 3})
    router.job("j1", labels={"a": 1, "b": 2, "c": 3})
    (decision,) = decisions(router)
    assert decision["score"] == 1 / 3


def test_the_worker_as_it_was(router: Router) -> None:
    router.worker("w1", capacity=10, channels={"voice": 3})
    since = int(router.redis.hget(f"{router.root}:worker:w1", "avail"))
    router.job("j1")
    router.accept("w1", "j1")
    router.job("j2")
    router.job("j3")
    assert last_worker(router) == {
        "used": 6,
        "capacity": 10,
        "offers": 1,
        "assignments": 1,
        "availableSince": since,
    }


def test_event_grid_readers_take_it(router: Router) -> None:
    """The payload is an Event Grid event with all members of its data; the decision is one more."""
    router.worker("w1")
    router.job("j1")
    (row,) = [x for x in router.run(c.EventList())["rows"] if "RouterWorkerOfferIssued" in x["events"]]
    payload = json.loads(row["events"][-1])
    assert set(payload) == {
        *("id", "topic", "subject", "data", "eventType", "dataVersion", "metadataVersion", "eventTime"),
    }
    assert set(payload["data"]) == {
        *("workerId", "jobId", "channelId", "queueId", "offerId", "offeredOn", "expiresOn", "jobPriority"),
        *("jobLabels", "jobTags", "workerLabels", "workerTags", "decision"),
    }
