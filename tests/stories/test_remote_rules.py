"""Rules that others answer: the question is leased, answered once, and outdated by what happens meanwhile."""

from __future__ import annotations

import json
from typing import Any

import pytest

from engine import commands as c
from engine.exception_rules import Cancel, Change, Classify, rules_text
from engine.exception_rules import Rule as ExceptionRule
from engine.pipelines import Always, Answer, Given, Rule, When
from engine.remote import RemoteRule, remote_text
from tests.stories.router import START, Router, wants
from tests.stories.test_classification import FAILED, PENDING, formula, some

FUNCTION = Rule("function", remote_text(RemoteRule("https://function.example/rule")))
WEBHOOK = Rule("webhook", remote_text(RemoteRule("https://hook.example/")))


def value(of: Any) -> Given:
    return Given("value", json.dumps(of))


def failed(why: str) -> Given:
    return Given("failed", why)


@pytest.fixture
def asking(router: Router) -> Router:
    """A policy ``c`` whose priority a function gives, and a worker on its fallback queue."""
    router.classification(priority=FUNCTION, fallback="q")
    router.worker("w1")
    router.told()
    return router


def ask(router: Router, job_id: str = "j1", **given: Any) -> Any:
    """A job that waits for an answer, and its question."""
    router.job(job_id, classification="c", **given)
    assert router.status(job_id) == PENDING
    return next(row for row in router.lease() if row["task"] == f"classify:{job_id}")


def test_the_path_of_a_job_whose_rule_others_answer(asking: Router) -> None:
    asking.policy_of(
        "classification",
        "c",
        pipeline=asking.pair.state.policies["classification", "c"].fields["pipeline"],
        fallback="q",
        secret='{"priority":{"function_key":"k"}}',
    )
    reply = asking.job("j1", classification="c", labels={"Tier": "gold"})
    assert reply["status"] == PENDING
    assert asking.offers("w1") == []
    assert asking.told() == ["JobReceived j1"]
    (question,) = asking.lease()
    assert question["task"] == "classify:j1"
    assert question["labels"] == '"Tier":"gold"'
    assert json.loads(question["pipeline"])["priority"]["text"] == FUNCTION.text
    assert question["secret"] == '{"priority":{"function_key":"k"}}'
    assert asking.answer(question, priority=value(7)) == "done"
    assert asking.read("j1").priority == 7
    assert asking.offers("w1") == ["j1"]
    assert asking.told() == ["JobClassified j1", "JobQueued j1", "OfferIssued w1 j1"]
    assert asking.lease() == []


def test_a_new_task_rings_the_bell(asking: Router) -> None:
    asking.at(500)
    asking.job("j1", classification="c")
    assert asking.redis.get(f"{asking.root}:bell") == str(START + 500)
    assert asking.redis.zrange(f"{asking.root}:tasks", 0, -1, withscores=True) == [
        ("classify:j1", START + 500)
    ]


def test_all_kinds_of_answers(router: Router) -> None:
    router.queue("gold", labels={"Tier": "gold"})
    router.classification(
        priority=WEBHOOK,
        workers=[
            Answer(FUNCTION),
            When(FUNCTION, some(wants("vip", "=", 1))),
            When(WEBHOOK, some(wants("old", "=", 1))),
            Always(some(wants("always", "="))),
            Answer(WEBHOOK),
        ],
        queues=[Answer(FUNCTION)],
    )
    router.job("j1", classification="c")
    (question,) = router.lease()
    router.answer(
        question,
        priority=value(-3.7),
        worker_0=Given("selectors", some(wants("a", "=", 1), wants("b", ">", 2))),
        worker_1=value(True),
        worker_2=value("true"),
        worker_4=Given("selectors", ""),
        queue_0=Given("selectors", some(wants("Tier", "=", "gold"))),
    )
    job = router.read("j1")
    assert (job.status, job.queue, job.priority) == ("queued", "gold", -3)
    assert [line.split("\t")[0] for line in job.attached.split("\n")] == ['"a"', '"b"', '"vip"', '"always"']


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (failed("the function answers with status 500"), "the function answers with status 500"),
        (value("7"), "the rule does not give a number"),
        (value(None), "the rule does not give a number"),
        (value([7]), "the rule does not give a number"),
        (Given("selectors", ""), "the rule does not give a number"),
        (None, "the rule was not answered"),
    ],
)
def test_an_answer_that_is_none(asking: Router, answer: Given | None, reason: str) -> None:
    question = ask(asking)
    asking.told()
    assert asking.answer(question, **({"priority": answer} if answer else {})) == "done"
    assert asking.status("j1") == FAILED
    assert asking.redis.zcard(f"{asking.root}:tasks") == 0
    (failure,) = asking.events()
    assert failure["eventType"].endswith("JobClassificationFailed")
    (error,) = failure["data"]["errors"]
    assert (error["code"], error["message"]) == ("RuleFailed", reason)
    assert error["target"] == "prioritizationRule"


# ---- the lease ---------------------------------------------------------------------------------------------


def test_a_leased_task_is_taken_again_after_its_lease(asking: Router) -> None:
    """So that a worker that has died loses nothing."""
    asking.job("j1", classification="c")
    assert len(asking.lease(lease_ms=1_000)) == 1
    asking.at(999)
    assert asking.lease() == []
    asking.at(1_000)
    (question,) = asking.lease()
    assert asking.answer(question, priority=value(2)) == "done"


def test_two_workers_answer_the_same_question_once(asking: Router) -> None:
    first = ask(asking)
    asking.at(60_000)
    (second,) = asking.lease()
    assert asking.answer(second, priority=value(2)) == "done"
    asking.told()
    assert asking.answer(first, priority=value(3)) == "outdated"
    assert asking.read("j1").priority == 2
    assert asking.told() == []


def test_a_lease_takes_at_most_so_many_the_oldest_first(asking: Router) -> None:
    for n in range(3):
        asking.at(n)
        asking.job(f"j{n}", classification="c")
    assert [row["task"] for row in asking.lease(2)] == ["classify:j0", "classify:j1"]
    assert [row["task"] for row in asking.lease(2)] == ["classify:j2"]
    for count, lease_ms in ((0, 1), (101, 1), (1, 0)):
        with asking.refuses("BAD_CALL"):
            asking.lease(count, lease_ms)


# ---- meanwhile ---------------------------------------------------------------------------------------------


def test_other_labels_ask_anew(asking: Router) -> None:
    before = ask(asking, labels={"Tier": "gold"})
    asking.job("j1", labels={"Tier": "iron"})
    (after,) = asking.lease()
    assert after["labels"] == '"Tier":"iron"'
    assert asking.answer(before, priority=value(9)) == "outdated"
    assert asking.status("j1") == PENDING
    assert asking.answer(after, priority=value(4)) == "done"
    assert asking.read("j1").priority == 4


def test_reclassify_asks_anew(asking: Router) -> None:
    before = ask(asking)
    asking.reclassify("j1")
    (after,) = asking.lease()
    assert asking.answer(before, priority=value(9)) == "outdated"
    assert asking.answer(after, priority=value(4)) == "done"


def test_another_policy_asks_anew_or_decides_at_once(asking: Router) -> None:
    asking.classification("other", priority=WEBHOOK, fallback="q")
    asking.classification("local", fallback="q")
    before = ask(asking)
    asking.job("j1", classification="other")
    assert asking.answer(before, priority=value(9)) == "outdated"
    assert asking.status("j1") == PENDING
    asking.job("j1", classification="local")
    assert asking.status("j1") == "queued"
    assert asking.lease() == []


def test_a_changed_policy_is_asked_anew(asking: Router) -> None:
    before = ask(asking)
    asking.classification(priority=WEBHOOK, fallback="q")
    assert asking.answer(before, priority=value(9)) == "outdated"
    (after,) = asking.lease()
    assert json.loads(after["pipeline"])["priority"]["kind"] == "webhook"
    assert asking.answer(after, priority=value(3)) == "done"


def test_a_policy_that_asks_nobody_any_more(asking: Router) -> None:
    ask(asking)
    asking.classification(priority=formula("6"), fallback="q")
    asking.at(60_000)
    (question,) = asking.lease()
    assert asking.answer(question) == "done"
    assert asking.read("j1").priority == 6


def test_a_cancelled_job_is_not_asked_about(asking: Router) -> None:
    question = ask(asking)
    asking.cancel("j1")
    assert asking.answer(question, priority=value(9)) == "outdated"
    assert asking.status("j1") == "cancelled"
    asking.run(c.JobDelete("j1"))
    assert asking.answer(question, priority=value(9)) == "outdated"
    asking.at(60_000)
    assert asking.lease() == []


def test_a_revived_job_is_another_question(asking: Router) -> None:
    question = ask(asking)
    asking.cancel("j1")
    asking.job("j1")
    assert asking.status("j1") == PENDING
    assert asking.answer(question, priority=value(9)) == "outdated"


def test_a_job_that_waits_for_answers_cannot_be_deleted(asking: Router) -> None:
    ask(asking)
    with asking.refuses("IN_USE", "active"):
        asking.run(c.JobDelete("j1"))
    with asking.refuses("IN_USE"):
        asking.run(c.PolicyDelete("classification", "c"))


@pytest.mark.parametrize("mode", ["suspend", "scheduleAndSuspend"])
def test_a_suspended_job_is_asked_about_when_it_is_activated(asking: Router, mode: str) -> None:
    question = ask(asking)
    at = {"schedule_at": START + 1_000} if mode == "scheduleAndSuspend" else {}
    asking.job("j1", mode=mode, **at)
    assert asking.status("j1") in ("waitingForActivation", "scheduled")
    assert asking.answer(question, priority=value(9)) == "outdated"
    assert asking.lease() == []
    asking.job("j1", mode="queueAndMatch")
    assert asking.status("j1") == PENDING
    (question,) = asking.lease()
    assert asking.answer(question, priority=value(9)) == "done"


def test_a_job_without_its_policy_waits_for_nobody(asking: Router) -> None:
    question = ask(asking, queue="q")
    asking.job("j1", classification="")
    assert asking.status("j1") == "queued"
    assert asking.answer(question, priority=value(9)) == "outdated"


def test_other_changes_are_taken_as_they_are(asking: Router) -> None:
    """The answer finds the queue that the job has by then."""
    asking.queue("q2")
    question = ask(asking, queue="q")
    asking.job("j1", queue="q2", selectors=[wants("a", "=", 1)], priority=5)
    assert asking.answer(question, priority=value(9)) == "done"
    job = asking.read("j1")
    assert (job.status, job.queue, job.priority) == ("queued", "q2", 9)


def test_a_queued_job_leaves_the_order_and_comes_back_to_its_place(asking: Router) -> None:
    """Others are matched meanwhile; in the same queue its stay goes on, with its number."""
    asking.worker("w1", available=False)
    asking.answer(ask(asking), priority=value(1))
    asking.job("j2")
    asking.job("j1", labels={"a": 1})
    assert asking.order() == ["j2"]
    (question,) = asking.lease()
    asking.at(5_000)
    asking.answer(question, priority=value(1))
    assert asking.order() == ["j1", "j2"]
    assert asking.read("j1").enqueued_at == START


def test_a_job_too_old_is_cancelled_while_it_waits(asking: Router) -> None:
    ask(asking)
    asking.outage(90 * 86_400_000)
    asking.sweep()
    assert asking.status("j1") == "cancelled"
    assert asking.redis.zcard(f"{asking.root}:tasks") == 0


# ---- exception rules ---------------------------------------------------------------------------------------


def test_an_exception_rule_asks(asking: Router) -> None:
    """Its later actions are done at once; the stay goes on, and the rule has fired in it."""
    change = Change(selectors=some(wants("a", "=", 1)))
    rules = [ExceptionRule("late", "wait", 1_000, [Classify("c"), change])]
    asking.policy_of("exception", "e", rules=rules_text(rules))
    asking.queue("q", exception="e")
    asking.worker("w1", available=False)
    asking.job("j1")
    asking.at(1_000)
    job = asking.read("j1")
    assert (job.status, job.classification, job.selectors[:3]) == (PENDING, "c", '"a"')
    (question,) = asking.lease()
    asking.answer(question, priority=value(8))
    assert asking.read("j1").priority == 8
    asking.told()
    asking.at(20_000)
    assert asking.told() == []


def test_an_exception_rule_asks_and_cancels(asking: Router) -> None:
    rules = [ExceptionRule("late", "wait", 1_000, [Classify("c"), Cancel()])]
    asking.policy_of("exception", "e", rules=rules_text(rules))
    asking.queue("q", exception="e")
    asking.worker("w1", available=False)
    asking.job("j1")
    asking.at(1_000)
    assert asking.status("j1") == "cancelled"
    assert asking.lease() == []


def test_a_rule_of_the_length_asks_once_on_a_way_in(asking: Router) -> None:
    """However long the queue is when the answer comes."""
    rules = [ExceptionRule("full", "length", 1, [Classify("c")])]
    asking.policy_of("exception", "e", rules=rules_text(rules))
    asking.queue("q", exception="e")
    asking.worker("w1", available=False)
    asking.job("j0")
    asking.job("j1")
    (question,) = asking.lease()
    asking.answer(question, priority=value(8))
    assert asking.status("j1") == "queued"
    asking.job("j1", labels={"a": 1})
    (question,) = asking.lease()
    asking.answer(question, priority=value(8))
    assert asking.status("j1") == "queued"


# ---- malformed answers -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        "",
        "x",
        "1",
        '{"priority":1}',
        '{"priority":{}}',
        '{"priority":{"kind":"value"}}',
        '{"priority":{"kind":"value","text":"x"}}',
        '{"priority":{"kind":"value","text":1}}',
        '{"priority":{"kind":"odd","text":"x"}}',
        '{"priority":{"kind":"selectors","text":"x"}}',
        '{"priority":{"kind":"failed","text":"x","more":1}}',
    ],
)
def test_operation_with_malformed_answers(asking: Router, text: str) -> None:
    question = ask(asking)
    before = asking.digest()
    for task in (question["task"], "classify:nobody"):
        with asking.refuses("BAD_CALL"):
            asking.pair.store.run(c.TaskAnswer(task, int(question["asked"]), 1, text), START)
    for task in ("", "x", "odd:j1", ":j1"):
        with asking.refuses("BAD_CALL"):
            asking.pair.store.run(c.TaskAnswer(task, 1, 1), START)
    assert asking.digest() == before
