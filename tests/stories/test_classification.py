"""Classification: a policy finds a job's priority, the selectors attached to it, and its queue."""

from __future__ import annotations

import json
from typing import Any

import pytest

from engine import commands as c
from engine.expressions import compile_expression
from engine.model import Selector, selectors_text
from engine.pipelines import Always, Answer, Draw, Label, Pipeline, Rule, Share, When, pipeline_text
from tests.stories.router import START, Router, wants
from tests.support import SyncStore

PENDING = "pendingClassification"
FAILED = "classificationFailed"


def value(of: Any) -> Rule:
    """A static rule."""
    return Rule("value", json.dumps(of))


def formula(source: str) -> Rule:
    return Rule("expression", compile_expression(source).text)


def some(*selectors: Selector) -> str:
    return selectors_text(selectors)


def always(*selectors: Selector) -> Always:
    return Always(some(*selectors))


def attached(router: Router, job_id: str = "j1") -> str:
    """The attached selectors as they are stored."""
    return router.read(job_id).attached


def where(router: Router, job_id: str = "j1") -> str:
    """The queue of a job that waits in it."""
    job = router.read(job_id)
    assert job.status == "queued", job
    return job.queue


def test_the_path_of_a_job_with_a_policy(router: Router) -> None:
    """The answer shows it as it was received; the same call classifies, queues and offers it."""
    router.queue("fast", name="Fast", labels={"Speed": "high"})
    router.worker("w1", queues=["fast"], labels={"Lang": "en"})
    router.classification(
        priority=formula("If(job.Escalated = true, 10, 5)"),
        workers=[Label('"Lang"', "=")],
        queues=[always(wants("Speed", "=", "high"))],
    )
    router.told()
    reply = router.job("j1", classification="c", labels={"Escalated": True, "Lang": "en"})
    assert (reply["outcome"], reply["status"], reply.get("queue", "")) == ("created", PENDING, "")
    job = router.read("j1")
    assert (job.status, job.queue, job.priority) == ("queued", "fast", 10)
    assert job.attached == '"Lang"\t=\t"en"\t\t0\t'
    assert router.offers("w1") == ["j1"]
    received, classified, queued, offered = router.events()
    assert received["data"]["jobStatus"] == "PendingClassification"
    assert received["data"]["classificationPolicyId"] == "c"
    assert received["data"]["unavailableForMatching"] is False
    assert {"priority", "queueId"}.isdisjoint(received["data"])
    assert classified["eventType"] == "Microsoft.Communication.RouterJobClassified"
    assert classified["subject"] == "job/j1/channel/voice/queue/fast"
    told = classified["data"]
    assert told["queueDetails"] == {"id": "fast", "name": "Fast", "labels": {"Speed": "high", "Id": "fast"}}
    assert (told["queueId"], told["classificationPolicyId"], told["priority"]) == ("fast", "c", 10)
    assert [s["key"] for s in told["attachedWorkerSelectors"]] == ["Lang"]
    assert queued["data"]["attachedWorkerSelectors"] == told["attachedWorkerSelectors"]
    assert queued["data"]["priority"] == 10
    assert offered["eventType"].endswith("OfferIssued")


# ---- priority ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rule", "priority"),
    [
        (value(10), 10),
        (value(3.9), 3),
        (value(-3.9), -3),
        (value(-0.5), 0),
        (value(100.5), 100),
        (value(1e300), 100),
        (value(-101), -100),
        (formula("job.Weight * 2"), 14),
        (formula("If(job.Nothing = 1, 10)"), None),
        (formula('"10"'), None),
        (formula("1 / job.Nothing"), None),
        (value("10"), None),
        (value(True), None),
        (value([1]), None),
        (value(None), None),
        (Rule("labels"), None),
    ],
    ids=repr,
)
def test_priorities(router: Router, rule: Rule, priority: int | None) -> None:
    """A number, truncated and brought into the range; anything else is an error of the rule."""
    router.classification(priority=rule, fallback="q")
    router.job("j1", classification="c", labels={"Weight": 7}, priority=2)
    job = router.read("j1")
    if priority is None:
        assert (job.status, job.priority) == (FAILED, 2)
    else:
        assert (job.status, job.priority) == ("queued", priority)


def test_without_a_rule_the_job_keeps_its_priority(router: Router) -> None:
    router.classification(fallback="q")
    router.job("j1", classification="c")
    router.job("j2", classification="c", priority=7)
    assert [router.read(job).priority for job in ("j1", "j2")] == [1, 7]
    classified = [event for event in router.events() if event["eventType"].endswith("JobClassified")]
    assert all("priority" not in event["data"] for event in classified)


# ---- selectors of workers ----------------------------------------------------------------------------------


def test_attachments_of_workers(router: Router) -> None:
    """All five kinds; what the client has requested stays as it is."""
    router.classification(
        workers=[
            always(wants("Always", "=", True)),
            When(formula('job.Region = "NA"'), some(wants("When", ">", 5), wants("When", "!=", 7))),
            When(value(False), some(wants("Never", "=", 1))),
            When(value("true"), some(wants("Never", "=", 1))),
            When(Rule("labels"), some(wants("Any", "<=", 2))),
            Label('"Skill"', ">="),
            Label('"Absent"', "="),
            Answer(formula("Blank()")),
            Draw([Share(1, some(wants("Drawn", "=", 1)))]),
        ],
        fallback="q",
    )
    labels = {"Region": "NA", "Skill": 1.0}
    router.job("j1", classification="c", labels=labels, selectors=[wants("Own", "=", "x")])
    lines = [line.split("\t")[:3] for line in attached(router).split("\n")]
    assert lines == [
        ['"Always"', "=", "true"],
        ['"When"', ">", "5"],
        ['"When"', "!=", "7"],
        ['"Any"', "<=", "2"],
        ['"Skill"', ">=", "1.0"],
        ['"Drawn"', "=", "1"],
    ]
    assert router.read("j1").selectors.startswith('"Own"')


def test_the_labels_as_selectors(router: Router) -> None:
    """A direct map asks for every label of the job, with its value as it was written."""
    router.classification(workers=[Answer(Rule("labels"))], fallback="q")
    router.job("j1", classification="c", labels={"b": 12345678901234567, "a": "x\ty"})
    assert attached(router) == '"a"\t=\t"x\\ty"\t\t0\t\n"b"\t=\t12345678901234567\t\t0\t'
    router.worker("w1", labels={"a": "x\ty", "b": 12345678901234567})
    assert router.offers("w1") == ["j1"]


def test_attached_selectors_decide_who_is_asked(router: Router) -> None:
    router.worker("w1", labels={"Lang": "en"})
    router.worker("w2", labels={"Lang": "fr"})
    router.classification(workers=[Label('"Lang"', "=")], fallback="q")
    router.job("j1", classification="c", labels={"Lang": "fr"})
    assert router.offered("j1") == ["w2"]


def test_attached_selectors_run_out(router: Router) -> None:
    """Their time runs from the first enqueue, and anew when another classification replaces them."""
    router.worker("w1")
    router.classification(
        workers=[Label('"Lang"', "=", "30"), always(wants("Team", "=", 1, seconds=60))], fallback="q"
    )
    router.job("j1", classification="c", labels={"Lang": "fr"})
    router.told()
    router.at(30_000)
    (expired,) = router.events()
    assert expired["eventType"].endswith("JobWorkerSelectorsExpired")
    assert [s["key"] for s in expired["data"]["expiredAttachedWorkerSelectors"]] == ["Lang"]
    assert expired["data"]["expiredRequestedWorkerSelectors"] == []
    router.reclassify("j1")
    assert router.told() == ["JobClassified j1", "JobQueued j1"]
    router.at(60_000)
    assert router.told() == ["JobWorkerSelectorsExpired j1"]
    assert router.offers("w1") == []
    router.at(90_000)
    assert router.told() == ["JobWorkerSelectorsExpired j1", "OfferIssued w1 j1"]


@pytest.mark.parametrize(
    "rule",
    [value({"key": 1}), value(5), value([{"key": "a"}]), formula('"x"'), formula("true"), formula("1/0")],
    ids=repr,
)
def test_a_rule_without_selectors_fails(router: Router, rule: Rule) -> None:
    router.classification(workers=[always(wants("a", "=", 1)), Answer(rule)], fallback="q")
    router.job("j1", classification="c")
    assert router.status("j1") == FAILED
    error = router.events()[-1]["data"]["errors"][0]
    assert (error["code"], error["target"]) == ("RuleFailed", "workerSelectorAttachments[1]")


@pytest.mark.parametrize("name", ["workers", "queues"])
def test_attachments_of_more_selectors_than_a_client_may_give_fail(router: Router, name: str) -> None:
    """The one is named that gives one too many, whatever kind it is of."""
    many = some(*[wants(f"k{n}", "!=", n) for n in range(49)])
    attachments = [When(Rule("labels"), many), Draw([Share(1, many)]), Answer(Rule("labels"))]
    router.classification(fallback="q", **{name: attachments})
    router.job("fits", classification="c", labels={"a": 1, "b": 2})
    assert router.status("fits") == "queued"
    router.job("j1", classification="c", labels={"a": 1, "b": 2, "c": 3})
    assert router.status("j1") == FAILED
    [error] = router.events()[-1]["data"]["errors"]
    assert error["message"] == "more than 100 selectors are attached"
    assert error["target"] == f"{name.removesuffix('s')}SelectorAttachments[2]"


# ---- the queue ---------------------------------------------------------------------------------------------


def test_selectors_of_queues_are_combined(router: Router) -> None:
    """Three labels that are passed through and a condition pick the right one of two queues."""
    for name, lang in (("en", "en"), ("fr", "fr")):
        labels = {"ProductDetail": "Redwood", "Region": "NA", "Lang": lang, "Premium": True}
        router.queue(name, labels=labels)
    router.classification(
        queues=[
            Label('"Region"', "="),
            Label('"Lang"', "="),
            Label('"ProductDetail"', "="),
            When(formula('job.Product = "O365"'), some(wants("Premium", "=", True))),
        ]
    )
    given = {"ProductDetail": "Redwood", "Region": "NA", "Product": "O365"}
    for lang in ("en", "fr"):
        router.job(f"j-{lang}", classification="c", labels=given | {"Lang": lang})
        assert where(router, f"j-{lang}") == lang
    router.job("j-de", classification="c", labels=given | {"Lang": "de"})
    assert router.status("j-de") == FAILED


def test_the_job_is_put_into_the_queue_that_is_named(router: Router) -> None:
    router.queue("a", labels={"x": 1})
    router.classification(queues=[always(wants("Id", "=", "a"))], fallback="q")
    router.job("j1", classification="c")
    assert where(router) == "a"
    router.classification(queues=[always(wants("Id", "=", "a"), wants("x", "!=", 1))], fallback="q")
    router.job("j2", classification="c")
    assert where(router, "j2") == "q"


@pytest.mark.parametrize(
    ("selector", "found"),
    [
        (wants("Id", "=", "nobody"), "q"),
        (wants("Id", "=", 5), "q"),
        (wants("Id", "!=", "a"), "b"),
        (wants("Id", ">", "b"), "c"),
        (wants("Id", "="), "q"),
        (wants("team", "=", 1), "a"),
        (wants("team", "!=", 1), "c"),
        (wants("team", "="), "q"),
    ],
    ids=repr,
)
def test_which_queue_fits(router: Router, selector: Selector, found: str) -> None:
    """Every queue has its id as label; where none fits, the fallback queue is taken."""
    router.queue("a", labels={"team": 1})
    router.queue("b", labels={"team": 1})
    router.queue("c", labels={"team": 2})
    router.queue("q", labels={"team": 1, "Id": "a"})
    router.classification(queues=[always(selector)], fallback="q")
    router.job("j1", classification="c")
    assert where(router) == found


def test_who_names_the_queue(router: Router) -> None:
    """What the policy selects goes before the job's own queue, and that before the fallback queue."""
    router.queue("own")
    router.queue("selected", labels={"x": 1})
    selecting = [Label('"x"', "=")]
    router.classification(queues=selecting, fallback="q")
    for job, labels, own, found in (
        ("j1", {"x": 1}, "own", "selected"),
        ("j2", {"x": 2}, "own", "own"),
        ("j3", {}, "own", "own"),
        ("j4", {"x": 2}, "", "q"),
        ("j5", {}, "", "q"),
    ):
        router.told()
        router.job(job, classification="c", labels=labels, queue=own)
        assert where(router, job) == found
        classified = router.events()[1]["data"]
        assert classified.get("queueId") == (None if found == "own" else found)
        assert ("queueDetails" in classified) == (found != "own")


def test_of_several_queues_the_shortest(router: Router) -> None:
    """And of equally long ones the first by id; a job does not count itself when it is classified again."""
    router.job("j0")
    for name in ("b", "a", "c"):
        router.queue(name, labels={"team": name != "c"})
    router.classification(queues=[always(wants("team", "!="))])
    for number in range(7):
        router.job(f"j{number + 1}", classification="c")
    assert [where(router, f"j{n}") for n in range(1, 8)] == ["a", "b", "c", "a", "b", "c", "a"]
    router.reclassify("j3")
    assert where(router, "j3") == "c"
    router.cancel("j2")
    router.job("j8", classification="c")
    assert where(router, "j8") == "b"


def test_lengths_are_right_however_the_policies_change(router: Router) -> None:
    """Queues are counted only while a policy selects queues."""
    router.queue("a", labels={"t": 1})
    router.queue("b", labels={"t": 1})
    router.job("j1", queue="a")
    router.classification(queues=[always(wants("t", "=", 1))])
    router.job("j2", classification="c")
    assert where(router, "j2") == "b"
    router.cancel("j2")
    router.run(c.PolicyDelete("classification", "c"))
    router.cancel("j1")
    router.job("j3", queue="b")
    router.classification(queues=[always(wants("t", "=", 1))])
    router.job("j4", classification="c")
    assert where(router, "j4") == "a"
    router.queue("b", labels={"t": 2})
    router.queue("a", labels={"t": 2, "u": 1})
    router.job("j5", classification="c", queue="q")
    assert where(router, "j5") == "q"


# ---- drawing -----------------------------------------------------------------------------------------------


def test_shares_are_kept(store: SyncStore, root: str) -> None:
    """30 and 70 of 100, over 10,000 jobs within 2 percent; and the same commands draw the same again."""

    def run() -> list[str]:
        store.run(
            root, c.PolicyUpsert("distribution", "p", expires_ms=1000, mode="longestIdle", document="{}"), 1
        )
        for name in ("a", "b"):
            store.run(root, c.QueueUpsert(name, distribution="p"), 1)
        shares = [Share(0.3, some(wants("Id", "=", "a"))), Share(0.7, some(wants("Id", "=", "b")))]
        text = pipeline_text(Pipeline(queues=[Draw(shares)]))
        store.run(root, c.PolicyUpsert("classification", "c", pipeline=text, document="{}"), 1)
        for number in range(10_000):
            store.run(root, c.JobCreate(f"j{number}", channel="voice", classification="c"), 1)
        drawn: list[str] = store.redis.zrange(f"{root}:queue.order:a", 0, -1)
        return drawn

    first = run()
    assert 2_800 <= len(first) <= 3_200
    for key in store.redis.scan_iter(f"{root}*", count=10_000):
        store.redis.delete(key)
    assert run() == first


def test_shares_need_not_sum_to_one(router: Router) -> None:
    router.classification(
        workers=[Draw([Share(3, some(wants("s", "=", 1))), Share(0.5, some(wants("s", "=", 2)))])] * 3,
        fallback="q",
    )
    for number in range(30):
        router.job(f"j{number}", classification="c")
    drawn = [line.split("\t")[2] for n in range(30) for line in attached(router, f"j{n}").split("\n")]
    assert {x: drawn.count(x) > 0 for x in ("1", "2")} == {"1": True, "2": True}
    assert drawn.count("1") > drawn.count("2")


# ---- failure and the way back ------------------------------------------------------------------------------


@pytest.fixture
def failed(router: Router) -> Router:
    """A router in which the classification of j1 has failed for want of a queue."""
    router.worker("w1")
    router.queue("vip", labels={"Tier": "vip"})
    router.classification(queues=[Label('"Tier"', "=")])
    router.classification("other", fallback="q")
    router.told()
    reply = router.job("j1", classification="c", labels={"Tier": "none"})
    assert reply["status"] == PENDING
    return router


def test_a_failure_is_told(failed: Router) -> None:
    assert failed.status("j1") == FAILED
    received, event = failed.events()
    assert received["eventType"].endswith("JobReceived")
    assert event["eventType"].endswith("JobClassificationFailed")
    assert event["subject"] == "job/j1/channel/voice/classificationpolicy/c"
    assert "queueId" not in event["data"]
    assert event["data"]["classificationPolicyId"] == "c"
    assert event["data"]["errors"][0]["code"] == "QueueNotFound"
    assert failed.run(c.JobList(status="active"))["rows"][0]["id"] == "j1"


def test_it_is_classified_again_by_other_labels(failed: Router) -> None:
    failed.told()
    reply = failed.job("j1", labels={"Tier": "vip"})
    assert reply["status"] == PENDING
    assert where(failed) == "vip"
    assert failed.told() == ["JobClassified j1", "JobQueued j1"]


def test_it_is_classified_again_by_another_policy(failed: Router) -> None:
    assert failed.job("j1", classification="other")["status"] == PENDING
    assert where(failed) == "q"
    assert failed.offers("w1") == ["j1"]


def test_it_is_classified_again_when_it_is_asked_for(failed: Router) -> None:
    failed.told()
    failed.reclassify("j1")
    assert failed.status("j1") == FAILED
    failed.queue("none", labels={"Tier": "none"})
    failed.reclassify("j1")
    assert where(failed) == "none"
    assert failed.told() == ["JobClassificationFailed j1", "JobClassified j1", "JobQueued j1"]


def test_it_is_given_a_queue(failed: Router) -> None:
    failed.told()
    assert failed.job("j1", queue="q")["status"] == "queued"
    assert failed.told() == ["JobQueued j1", "OfferIssued w1 j1"]


def test_it_needs_no_policy_any_more(failed: Router) -> None:
    with failed.refuses("INVALID", "queueId"):
        failed.job("j1", classification="")
    failed.job("j1", classification="", queue="q")
    assert where(failed) == "q"


def test_it_is_suspended_and_classified_when_it_is_activated(failed: Router) -> None:
    failed.job("j1", mode="suspend")
    assert failed.status("j1") == "waitingForActivation"
    failed.queue("none", labels={"Tier": "none"})
    assert failed.job("j1", mode="queueAndMatch")["status"] == PENDING
    assert where(failed) == "none"


def test_other_changes_leave_it(failed: Router) -> None:
    failed.told()
    assert failed.job("j1", priority=5, tags={"a": 1}, channel="chat")["status"] == FAILED
    assert failed.told() == []


def test_it_is_deleted(failed: Router) -> None:
    failed.run(c.JobDelete("j1"))
    failed.run(c.PolicyDelete("classification", "c"))


def test_it_is_cancelled(failed: Router) -> None:
    failed.cancel("j1")
    failed.run(c.PolicyDelete("classification", "c"))
    assert failed.status("j1") == "cancelled"


# ---- again -------------------------------------------------------------------------------------------------


@pytest.fixture
def two(router: Router) -> Router:
    """A router in which j1 waits by its policy in the queue of its Tier, offered to w1."""
    router.queue("free", labels={"Tier": "free"})
    router.queue("vip", labels={"Tier": "vip"})
    router.worker("w1", queues=["free", "vip", "q"])
    router.classification(
        priority=formula('If(job.Tier = "vip", 10, 1)'),
        workers=[Label('"Skill"', "=")],
        queues=[Label('"Tier"', "=")],
    )
    router.job("j1", classification="c", labels={"Tier": "free"})
    assert router.offers("w1") == ["j1"]
    router.told()
    return router


def test_other_labels_classify_again(two: Router) -> None:
    reply = two.job("j1", labels={"Tier": "vip"})
    assert reply["status"] == PENDING
    job = two.read("j1")
    assert (job.status, job.queue, job.priority) == ("queued", "vip", 10)
    assert two.told() == ["OfferRevoked w1 j1", "JobClassified j1", "JobQueued j1", "OfferIssued w1 j1"]


def test_another_policy_classifies_again(two: Router) -> None:
    two.classification("other", queues=[always(wants("Id", "=", "q"))], workers=[])
    two.job("j1", labels={"Tier": "free", "Skill": 1})
    assert attached(two) != ""
    two.told()
    assert two.job("j1", classification="other")["status"] == PENDING
    assert (where(two), attached(two)) == ("q", "")
    assert two.told() == ["JobClassified j1", "JobQueued j1", "OfferIssued w1 j1"]
    two.run(c.PolicyDelete("classification", "c"))


def test_what_is_equal_does_nothing(two: Router) -> None:
    """What a client reads and sends back is no change; only what differs counts."""
    assert two.job("j1", labels={"Tier": "free"}, classification="c")["status"] == "queued"
    assert two.told() == []
    two.job("j1", tags={"a": 1}, notes=["x"], reference="r")
    assert two.job("j1", priority=3)["status"] == "queued"
    assert (two.told(), two.read("j1").priority) == ([], 3)


def test_another_queue_or_selector_only_queues_again(two: Router) -> None:
    assert two.job("j1", queue="vip")["status"] == "queued"
    assert two.told() == ["OfferRevoked w1 j1", "JobQueued j1", "OfferIssued w1 j1"]
    assert (where(two), two.read("j1").priority) == ("vip", 1)


def test_a_queue_that_is_taken_away_stays(two: Router) -> None:
    """The queue of a job with a policy is what the policy has found."""
    two.job("j1", queue="")
    assert (where(two), two.told()) == ("free", [])


def test_without_its_policy_it_keeps_its_queue(two: Router) -> None:
    two.job("j1", labels={"Tier": "free", "Skill": 1})
    assert two.offers("w1") == []
    two.told()
    assert two.job("j1", classification="")["status"] == "queued"
    assert attached(two) == ""
    assert two.told() == ["JobQueued j1", "OfferIssued w1 j1"]
    two.job("j1", labels={"Tier": "vip"})
    assert where(two) == "free"


def test_a_job_is_given_a_policy_later(two: Router) -> None:
    two.job("j2", labels={"Tier": "vip"})
    assert where(two, "j2") == "q"
    assert two.job("j2", classification="c")["status"] == PENDING
    assert where(two, "j2") == "vip"


def test_a_repeated_request_does_nothing(two: Router) -> None:
    two.reclassify("j1", request_id="r")
    assert two.told() == ["OfferRevoked w1 j1", "JobClassified j1", "JobQueued j1", "OfferIssued w1 j1"]
    two.reclassify("j1", request_id="r")
    assert two.told() == []


def test_a_failure_takes_it_out_of_its_queue(two: Router) -> None:
    """It keeps the queue that it had, but does not wait in it."""
    two.classification(priority=formula("1 / job.Size"))
    two.reclassify("j1")
    assert two.told() == ["OfferRevoked w1 j1", "JobClassificationFailed j1"]
    assert (two.order("free"), two.offers("w1")) == ([], [])
    with two.refuses("IN_USE"):
        two.run(c.QueueDelete("free"))
    two.job("j1", labels={"Tier": "free", "Size": 2})
    assert where(two) == "free"


def test_an_assigned_job_only_takes_the_labels(two: Router) -> None:
    two.accept("w1", "j1")
    two.told()
    two.job("j1", labels={"Tier": "vip"})
    with two.refuses("CONFLICT"):
        two.reclassify("j1")
    two.complete("j1")
    two.job("j1", labels={"Tier": "gold"})
    job = two.read("j1")
    assert (job.queue, job.priority, job.labels) == ("free", 1, '"Tier":"gold"')
    assert two.told() == ["JobCompleted j1"]


def test_an_unassigned_job_goes_back_as_it_was(two: Router) -> None:
    two.accept("w1", "j1")
    two.told()
    two.unassign("j1")
    assert two.told() == ["JobUnassigned j1", "JobQueued j1", "OfferIssued w1 j1"]
    two.accept("w1", "j1")
    two.unassign("j1", suspend=True)
    assert two.job("j1", mode="queueAndMatch")["status"] == "queued"


def test_a_new_life_is_classified(two: Router) -> None:
    two.cancel("j1")
    two.told()
    assert two.job("j1", labels={"Tier": "vip"})["status"] == PENDING
    assert where(two) == "vip"
    assert two.told()[:3] == ["JobReceived j1", "JobClassified j1", "JobQueued j1"]


# ---- jobs to be activated first ----------------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["suspend", "scheduleAndSuspend"])
def test_a_job_is_classified_when_it_is_activated(two: Router, mode: str) -> None:
    schedule = {"schedule_at": START + 1_000} if mode == "scheduleAndSuspend" else {}
    two.job("j2", classification="c", labels={"Tier": "vip"}, mode=mode, **schedule)
    assert two.read("j2").queue == ""
    two.at(1_000)
    assert two.status("j2") == "waitingForActivation"
    two.job("j2", labels={"Tier": "free"})
    two.reclassify("j2")
    assert "JobClassified j2" not in two.told()
    assert two.job("j2", mode="queueAndMatch")["status"] == PENDING
    assert where(two, "j2") == "free"
    assert two.told() == ["JobClassified j2", "JobQueued j2"]


def test_a_job_is_activated_before_its_time(two: Router) -> None:
    mode = {"mode": "scheduleAndSuspend", "schedule_at": START + 1_000}
    two.job("j2", classification="c", labels={"Tier": "vip"}, **mode)
    assert two.job("j2", mode="queueAndMatch")["status"] == PENDING
    assert where(two, "j2") == "vip"
    two.at(2_000)


def test_a_suspended_job_was_classified_before(two: Router) -> None:
    """It is not classified again when it is activated, unless its labels have changed meanwhile."""
    two.job("j1", mode="suspend")
    assert two.job("j1", mode="queueAndMatch")["status"] == "queued"
    two.job("j1", mode="suspend", labels={"Tier": "vip"})
    assert two.read("j1").queue == "free"
    assert two.job("j1", mode="queueAndMatch")["status"] == PENDING
    assert where(two) == "vip"


def test_a_suspended_job_loses_its_policy(two: Router) -> None:
    two.job("j2", classification="c", labels={"Tier": "vip"}, mode="suspend")
    two.job("j2", classification="", queue="q")
    assert two.job("j2", mode="queueAndMatch")["status"] == "queued"
    assert where(two, "j2") == "q"


# ---- guards ------------------------------------------------------------------------------------------------


def test_a_policy_in_use_is_kept(two: Router) -> None:
    """While an active job uses it, also one that is assigned or suspended."""
    for prepare in (lambda: None, lambda: two.accept("w1", "j1"), lambda: two.unassign("j1", suspend=True)):
        prepare()
        with two.refuses("IN_USE", "classification"):
            two.run(c.PolicyDelete("classification", "c"))
    two.cancel("j1")
    two.run(c.PolicyDelete("classification", "c"))
    with two.refuses("INVALID", "classification policy 'c' does not exist"):
        two.job("j1")


def test_unknown_policies_are_refused(router: Router) -> None:
    with router.refuses("INVALID", "'nobody'"):
        router.job("j1", classification="nobody")
    router.job("j1")
    with router.refuses("INVALID", "'nobody'"):
        router.job("j1", classification="nobody")


def test_jobs_of_a_policy_are_listed(two: Router) -> None:
    two.job("j2")
    assert [row["id"] for row in two.run(c.JobList(classification="c"))["rows"]] == ["j1"]
    assert two.run(c.JobList(classification="x"))["rows"] == []


# ---- malformed pipelines -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        "x",
        "1",
        "[1]",
        '{"other":[]}',
        '{"priority":1}',
        '{"priority":{}}',
        '{"priority":{"kind":"odd"}}',
        '{"priority":{"kind":"value"}}',
        '{"priority":{"kind":"value","text":"x"}}',
        '{"priority":{"kind":"expression","text":"x"}}',
        '{"priority":{"kind":"expression","text":"[\\"Odd\\",1]"}}',
        '{"priority":{"kind":"value","text":"1","more":"x"}}',
        '{"priority":{"kind":"value","text":"1\\u0000"}}',
        '{"workers":{}, "queues":{"a":{"kind":"always","selectors":""}}}',
        '{"workers":[1]}',
        '{"workers":[null]}',
        '{"workers":[{}]}',
        '{"workers":[{"kind":"odd"}]}',
        '{"workers":[{"kind":"always"}]}',
        '{"workers":[{"kind":"always","selectors":"x"}]}',
        '{"workers":[{"kind":"always","selectors":1}]}',
        '{"workers":[{"kind":"when","selectors":""}]}',
        '{"workers":[{"kind":"when","rule":{"kind":"labels"}}]}',
        '{"queues":[{"kind":"label","key":"\\"a\\""}]}',
        '{"queues":[{"kind":"label","key":"a","operator":"="}]}',
        '{"queues":[{"kind":"label","key":"\\"a\\"","operator":"~"}]}',
        '{"queues":[{"kind":"label","key":"\\"a\\"","operator":"=","seconds":"x"}]}',
        '{"queues":[{"kind":"answer"}]}',
        '{"queues":[{"kind":"draw"}]}',
        '{"queues":[{"kind":"draw","shares":[]}]}',
        '{"queues":[{"kind":"draw","shares":[1]}]}',
        '{"queues":[{"kind":"draw","shares":[{"weight":0,"selectors":""}]}]}',
        '{"queues":[{"kind":"draw","shares":[{"weight":-1,"selectors":""}]}]}',
        '{"queues":[{"kind":"draw","shares":[{"weight":1e308,"selectors":""}]}]}',
        '{"queues":[{"kind":"draw","shares":[{"selectors":""}]}]}',
        '{"queues":[{"kind":"draw","shares":[{"weight":1}]}]}',
        '{"queues":[{"kind":"draw","shares":[{"weight":"1","selectors":""}]}]}',
    ],
)
def test_operation_with_malformed_pipeline(router: Router, text: str) -> None:
    before = router.digest()
    store = router.pair.store
    for kind in (c.PolicyUpsert, c.PolicyUpdate):
        command = kind("classification", "c", doc=0 if kind is c.PolicyUpsert else 1, pipeline=text)
        with router.refuses("BAD_CALL" if kind is c.PolicyUpsert else "CHANGED"):
            store.run(command, START)
    assert router.digest() == before
