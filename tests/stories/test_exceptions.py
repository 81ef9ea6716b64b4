"""Exception policies: rules of a queue's length fire before a job joins, rules of the wait while it waits."""

from __future__ import annotations

import json
from collections.abc import Sequence

import pytest

from engine import commands as c
from engine.exception_rules import Action, Cancel, Change, Classify, Rule, rules_text
from engine.expressions import compile_expression
from engine.model import json_text, members_text, notes, selectors_text
from engine.pipelines import Label
from engine.pipelines import Rule as ValueRule
from tests.stories.router import START, Router, wants

MINUTE = 60_000


def length(threshold: int, *actions: Action, id: str = "long") -> Rule:
    return Rule(id, "length", threshold, actions)


def wait(ms: int, *actions: Action, id: str = "late") -> Rule:
    return Rule(id, "wait", ms, actions)


def excepts(router: Router, rules: Sequence[Rule], *queues: str, policy: str = "e") -> None:
    """Gives queues (``q`` unless said otherwise) an exception policy with these rules."""
    router.policy_of("exception", policy, rules=rules_text(rules))
    for queue in queues or ["q"]:
        router.queue(queue, exception=policy)
    router.told()


def fill(router: Router, count: int, queue: str = "q") -> None:
    """Puts jobs that nobody takes into a queue."""
    for n in range(count):
        router.job(f"{queue}-{n}", queue=queue, channel="nobody")
    router.told()


# ---- the length of a queue -----------------------------------------------------------------------


def test_the_eleventh_job_is_sent_elsewhere(router: Router) -> None:
    """With a threshold of ten: another queue, priority and selectors, before it has joined."""
    selectors = selectors_text([wants("backup", "=", True)])
    router.queue("backup")
    excepts(router, [length(10, Change("backup", 10, selectors))])
    fill(router, 10)
    reply = router.job("j1")
    assert (reply["status"], reply["queue"]) == ("created", "q")
    job = router.read("j1")
    assert (job.status, job.queue, job.priority, job.selectors) == ("queued", "backup", 10, selectors)
    assert router.order("backup") == ["j1"]
    assert len(router.order()) == 10
    received, triggered, queued = router.events()
    assert received["data"]["queueId"] == "q"
    assert triggered["eventType"] == "Microsoft.Communication.RouterJobExceptionTriggered"
    assert triggered["subject"] == "job/j1/channel/voice/exceptionrule/long"
    assert triggered["data"] == {
        "jobId": "j1",
        "channelId": "voice",
        "queueId": "q",
        "labels": {},
        "tags": {},
        "ruleKey": "long",
        "exceptionRuleId": "long",
    }
    assert queued["subject"] == "job/j1/channel/voice/queue/backup"
    assert queued["data"]["priority"] == 10


def test_a_job_is_cancelled_before_it_joins(router: Router) -> None:
    excepts(router, [length(1, Cancel(json_text("full"), "busy"))])
    fill(router, 1)
    assert router.job("j1")["status"] == "created"
    job = router.read("j1")
    assert (job.status, job.disposition, job.enqueued_at) == ("cancelled", "busy", None)
    assert [note.message for note in notes(job.notes)] == ["full"]
    assert router.told() == ["JobReceived j1", "JobExceptionTriggered j1", "JobCancelled j1"]
    excepts(router, [length(1, Cancel())])
    router.job("j1")
    assert router.read("j1").disposition == "Cancelled"


def test_what_counts_as_length(router: Router) -> None:
    """All jobs of the queue, those on offer and of less priority too; not those that are suspended."""
    router.worker("w1")
    excepts(router, [length(2, Change(priority=50))])
    router.job("j1")
    router.job("j2", mode="suspend")
    router.job("j3", priority=-5)
    assert router.read("j3").priority == -5
    router.job("j4", priority=100)
    assert router.read("j4").priority == 50
    router.accept("w1", "j1")
    router.cancel("j4")
    router.job("j5")
    assert router.read("j5").priority == 1


def test_rules_go_by_threshold_then_by_their_place(router: Router) -> None:
    rules = [
        length(2, id="second"),
        length(3, id="not yet"),
        length(1, Change(priority=7), id="first"),
        length(2, id="third"),
    ]
    excepts(router, rules)
    fill(router, 2)
    router.job("j1")
    fired = [event["data"]["ruleKey"] for event in router.events() if "ruleKey" in event["data"]]
    assert fired == ["first", "second", "third"]
    assert router.read("j1").priority == 7


def test_rules_of_the_old_queue_stop_after_a_move(router: Router) -> None:
    """But the rule that moved the job is done to its end."""
    router.queue("q2")
    excepts(router, [length(1, Change("q2"), Change(priority=9)), length(1, Cancel(), id="unused")])
    fill(router, 1)
    router.job("j1")
    job = router.read("j1")
    assert (job.queue, job.priority, job.status) == ("q2", 9, "queued")


def test_a_job_may_be_sent_on_from_queue_to_queue(router: Router) -> None:
    for queue in ("q2", "q3"):
        router.queue(queue)
    excepts(router, [length(1, Change("q2"))])
    excepts(router, [length(1, Change("q3"))], "q2", policy="e2")
    fill(router, 1)
    fill(router, 1, "q2")
    router.job("j1")
    assert router.read("j1").queue == "q3"
    assert router.told() == [
        "JobReceived j1",
        "JobExceptionTriggered j1",
        "JobExceptionTriggered j1",
        "JobQueued j1",
    ]


def test_queues_that_send_a_job_in_a_circle(router: Router) -> None:
    """Each rule fires once on the way in, then the job joins where it is."""
    router.queue("q2")
    excepts(router, [length(1, Change("q2"))])
    excepts(router, [length(1, Change("q"))], "q2", policy="e2")
    fill(router, 1)
    router.job("first", queue="q2")
    router.told()
    router.job("j1")
    assert router.told() == [
        "JobReceived j1",
        "JobExceptionTriggered j1",
        "JobExceptionTriggered j1",
        "JobQueued j1",
    ]
    assert router.order() == ["q-0", "j1"]


def test_a_job_is_not_sent_on_for_ever(router: Router) -> None:
    """After a hundred rules it joins where it is."""
    excepts(router, [length(1, id=str(n)) for n in range(101)])
    fill(router, 1)
    router.job("j1")
    assert router.told().count("JobExceptionTriggered j1") == 100
    assert router.order() == ["q-0", "j1"]


def test_every_way_into_a_queue_is_looked_at(router: Router) -> None:
    """Activation, unassignment and a move; not a change of a job that waits there already."""
    router.worker("w1", capacity=9)
    router.queue("q2")
    for job in ("suspended", "moved", "changed"):
        router.job(job, channel="nobody", queue="q2" if job == "moved" else "q")
    router.job("suspended", mode="suspend")
    router.job("unassigned")
    router.accept("w1", "unassigned")
    fill(router, 2)
    excepts(router, [length(3, Change(priority=7))])
    router.job("changed", labels={"a": 1})
    assert router.told() == ["JobQueued changed"]
    router.job("suspended", mode="queueAndMatch")
    router.job("moved", queue="q")
    router.unassign("unassigned")
    assert router.told() == [
        "JobExceptionTriggered suspended",
        "JobQueued suspended",
        "JobExceptionTriggered moved",
        "JobQueued moved",
        "JobUnassigned unassigned",
        "JobExceptionTriggered unassigned",
        "JobQueued unassigned",
        "OfferIssued w1 unassigned",
    ]


def test_an_unassigned_job_is_cancelled_before_it_joins(router: Router) -> None:
    router.worker("w1")
    router.job("j1")
    router.accept("w1", "j1")
    fill(router, 1)
    excepts(router, [length(1, Cancel())])
    router.unassign("j1")
    assert router.told() == ["JobUnassigned j1", "JobExceptionTriggered j1", "JobCancelled j1"]
    assert (router.load("w1"), router.read("j1").assignment) == (0, "")


# ---- the wait in a queue -------------------------------------------------------------------------


def test_a_job_gets_priority_after_a_minute_and_moves_after_five(router: Router) -> None:
    """Both clocks run from the entry into the queue, and each rule fires once."""
    router.queue("q2")
    excepts(
        router, [wait(5 * MINUTE, Change("q2"), id="move"), wait(MINUTE, Change(priority=10), id="raise")]
    )
    router.at(1_000)
    router.job("j1")
    router.told()
    router.at(1_000 + MINUTE - 1)
    assert router.told() == []
    router.at(1_000 + MINUTE)
    assert (router.read("j1").priority, router.told()) == (10, ["JobExceptionTriggered j1", "JobQueued j1"])
    router.at(1_000 + 5 * MINUTE - 1)
    assert router.told() == []
    router.at(1_000 + 5 * MINUTE)
    assert router.told() == ["JobExceptionTriggered j1", "JobQueued j1"]
    assert (router.order(), router.order("q2")) == ([], ["j1"])
    assert router.read("j1").enqueued_at == START + 1_000
    router.at(60 * MINUTE)
    assert router.told() == []


def test_a_job_that_is_escalated_is_offered_to_others(router: Router) -> None:
    """An open offer does not stop a rule; it is revoked when queue or selectors change."""
    router.queue("q2")
    router.worker("w1")
    router.worker("w2", queues=["q2"], labels={"expert": True})
    selectors = selectors_text([wants("expert", "=", True)])
    excepts(router, [wait(MINUTE, Change("q2", 100, selectors))])
    router.policy(expires=10 * MINUTE)
    router.job("j1")
    router.told()
    router.at(MINUTE)
    assert router.told() == [
        "JobExceptionTriggered j1",
        "OfferRevoked w1 j1",
        "JobQueued j1",
        "OfferIssued w2 j1",
    ]


def test_a_job_is_cancelled_after_a_while(router: Router) -> None:
    router.worker("w1")
    router.policy(expires=10 * MINUTE)
    excepts(router, [wait(MINUTE, Cancel(json_text("too late"), "late"))])
    router.job("j1")
    router.told()
    router.at(MINUTE)
    assert router.told() == ["JobExceptionTriggered j1", "OfferRevoked w1 j1", "JobCancelled j1"]
    job = router.read("j1")
    assert (job.status, job.disposition, notes(job.notes)[0].message) == ("cancelled", "late", "too late")


def test_another_priority_alone_leaves_the_offers(router: Router) -> None:
    router.worker("w1")
    router.policy(expires=10 * MINUTE)
    excepts(router, [wait(MINUTE, Change(priority=5))])
    router.job("j1")
    router.at(1)
    router.job("j2", channel="nobody", priority=3)
    router.told()
    assert router.order() == ["j2", "j1"]
    router.at(MINUTE)
    assert router.told() == ["JobExceptionTriggered j1", "JobQueued j1"]
    assert (router.order(), router.offered("j1")) == (["j1", "j2"], ["w1"])


def test_selectors_are_replaced_and_start_anew(router: Router) -> None:
    """One that is equal to an old one keeps its start; none given leaves them as they are."""
    kept, new = wants("a", "=", 1, seconds=100), wants("b", "=", 1, seconds=100)
    excepts(
        router,
        [
            wait(10_000, Change(selectors=selectors_text([kept, new])), id="first"),
            wait(20_000, Change(priority=3), id="second"),
        ],
    )
    router.job("j1", selectors=[kept, wants("c", "=", 1)])
    router.at(20_000)
    assert [s.expires_at(START) for s in router.selectors("j1")] == [START + 100_000, START + 110_000]
    router.told()
    router.at(100_000)
    assert router.told() == ["JobWorkerSelectorsExpired j1"]


def test_a_rule_that_gives_what_is_there_leaves_the_offers(router: Router) -> None:
    router.worker("w1", labels={"a": 1})
    router.policy(expires=10 * MINUTE)
    text = selectors_text([wants("a", "=", 1)])
    excepts(router, [wait(MINUTE, Change("q", 1, text))])
    router.job("j1", selectors=[wants("a", "=", 1)])
    router.told()
    router.at(MINUTE)
    assert router.told() == ["JobExceptionTriggered j1", "JobQueued j1"]


def test_the_clock_stops_when_a_job_leaves_its_queue(router: Router) -> None:
    router.worker("w1")
    router.queue("q2")
    excepts(router, [wait(MINUTE)])
    for job in ("accepted", "suspended", "cancelled", "moved"):
        router.job(job)
    router.accept("w1", "accepted")
    router.job("suspended", mode="suspend")
    router.cancel("cancelled")
    router.job("moved", queue="q2")
    router.told()
    router.at(2 * MINUTE)
    assert router.told() == []


def test_each_stay_has_its_own_clock(router: Router) -> None:
    """A job that comes back waits from then on; one that is only changed goes on waiting."""
    router.worker("w1")
    excepts(router, [wait(MINUTE)])
    router.job("j1")
    router.job("j2")
    router.at(MINUTE - 1)
    router.accept("w1", "j1")
    router.job("j2", labels={"a": 1})
    router.told()
    router.at(MINUTE)
    assert router.told() == ["JobExceptionTriggered j2"]
    router.unassign("j1")
    router.job("j2", mode="suspend")
    router.at(MINUTE + 500)
    router.job("j2", mode="queueAndMatch")
    router.told()
    router.at(2 * MINUTE)
    assert "JobExceptionTriggered j1" in router.told()
    router.at(2 * MINUTE + 500)
    assert router.told() == ["JobExceptionTriggered j2"]


def test_clocks_start_when_a_scheduled_job_is_queued(router: Router) -> None:
    excepts(router, [wait(MINUTE)])
    router.job("j1", mode="scheduleAndSuspend", schedule_at=START + MINUTE)
    router.at(10 * MINUTE)
    router.job("j1", mode="queueAndMatch")
    router.told()
    router.at(11 * MINUTE - 1)
    assert router.told() == []
    router.at(11 * MINUTE)
    assert router.told() == ["JobExceptionTriggered j1"]


def test_a_new_life_begins_anew(router: Router) -> None:
    excepts(router, [wait(MINUTE, Cancel())])
    router.job("j1")
    router.at(MINUTE)
    assert router.status("j1") == "cancelled"
    router.job("j1")
    router.at(2 * MINUTE)
    assert router.status("j1") == "cancelled"


def test_rules_that_are_late_together(router: Router) -> None:
    """They fire by threshold, then by their place, until one ends or moves the job."""
    router.queue("q2")
    rules = [
        wait(3 * MINUTE, Cancel(), id="unused"),
        wait(2 * MINUTE, id="third"),
        wait(MINUTE, id="first"),
        wait(MINUTE, Change(priority=2), id="second"),
        wait(2 * MINUTE, Change("q2"), id="fourth"),
    ]
    excepts(router, rules)
    router.job("j1")
    router.told()
    router.outage(10 * MINUTE)
    router.sweep()
    fired = [event["data"]["ruleKey"] for event in router.events() if "ruleKey" in event["data"]]
    assert fired == ["first", "second", "third", "fourth"]
    assert (router.read("j1").queue, router.status("j1")) == ("q2", "queued")


def test_a_job_that_nobody_takes_in_is_sent_back(router: Router) -> None:
    """The other queue is full and sends it back: it begins to wait anew."""
    router.queue("q2")
    excepts(router, [wait(MINUTE, Change("q2"))])
    excepts(router, [length(1, Change("q"))], "q2", policy="e2")
    fill(router, 1, "q2")
    router.job("j1")
    router.at(MINUTE)
    assert (router.order(), router.read("j1").queue) == (["j1"], "q")
    router.cancel("q2-0")
    router.at(2 * MINUTE)
    assert router.read("j1").queue == "q2"


# ---- changes of policies ---------------------------------------------------------------------------


def test_an_edit_arms_the_rules_that_have_not_fired(router: Router) -> None:
    excepts(router, [wait(MINUTE, id="a"), wait(5 * MINUTE, id="b")])
    router.job("j1")
    router.told()
    router.at(2 * MINUTE)
    assert router.told() == ["JobExceptionTriggered j1"]
    rules = [wait(3 * MINUTE, id="a"), wait(4 * MINUTE, id="b"), wait(MINUTE, id="c")]
    router.policy_of("exception", "e", rules=rules_text(rules))
    router.at(2 * MINUTE + 1)
    assert router.told() == ["JobExceptionTriggered j1"]
    router.at(4 * MINUTE - 1)
    assert router.told() == []
    router.at(4 * MINUTE)
    assert router.told() == ["JobExceptionTriggered j1"]
    excepts(router, [wait(9 * MINUTE, id="d")])
    excepts(router, [])
    router.at(10 * MINUTE)
    assert router.told() == []


def test_a_queue_gets_and_loses_its_policy(router: Router) -> None:
    router.policy_of("exception", "e", rules=rules_text([wait(MINUTE)]))
    router.job("j1")
    router.at(30_000)
    router.queue(exception="e")
    router.told()
    router.at(MINUTE)
    assert router.told() == ["JobExceptionTriggered j1"]
    router.policy_of("exception", "e2", rules=rules_text([wait(2 * MINUTE)]))
    router.queue(exception="e2")
    router.at(2 * MINUTE)
    assert router.told() == ["JobExceptionTriggered j1"]
    router.job("j2")
    router.queue(exception="")
    router.told()
    router.at(10 * MINUTE)
    assert router.told() == []


def test_an_edit_reaches_many_jobs_batch_by_batch(router: Router) -> None:
    """A job that is raised in between, to where the review has been, is not forgotten."""
    router.settings(batch=2)
    excepts(router, [])
    for n in range(7):
        router.job(f"j{n}")
    router.at(1)
    excepts(router, [wait(MINUTE)])
    router.job("j6", priority=50)
    router.told()
    router.at(MINUTE)
    assert sorted(router.told()) == [f"JobExceptionTriggered j{n}" for n in range(7)]


def test_an_edit_of_what_does_not_matter_fires_nothing_again(router: Router) -> None:
    excepts(router, [wait(MINUTE)])
    router.job("j1")
    router.at(MINUTE)
    router.policy_of("exception", "e", rules=rules_text([wait(MINUTE)]), uses=[])
    router.told()
    router.at(5 * MINUTE)
    assert router.told() == []


# ---- where a job may go -----------------------------------------------------------------------------


def test_a_queue_that_is_gone_is_left_out(router: Router) -> None:
    """The rest is done."""
    excepts(router, [wait(1_000, Change("nobody", 5), id="a")])
    router.job("j1")
    router.at(1_000)
    assert (router.read("j1").queue, router.read("j1").priority) == ("q", 5)


def test_ids_with_odd_characters(router: Router) -> None:
    odd = 'r"\\\n\t/é'
    excepts(router, [wait(1_000, id=odd), wait(2_000, id="é")], policy=odd)
    router.job(odd)
    router.told()
    router.at(1_000)
    (event,) = router.events()
    assert (event["subject"], event["data"]["ruleKey"]) == (
        f"job/{odd}/channel/voice/exceptionrule/{odd}",
        odd,
    )
    router.at(5_000)
    assert len(router.told()) == 1


MALFORMED = [
    "x",
    "1",
    '{"a":1}',
    "[1]",
    '[{"id":"r"}]',
    '[{"id":1,"trigger":"wait","threshold":1,"actions":[]}]',
    '[{"id":"r","trigger":"waitTime","threshold":1,"actions":[]}]',
    '[{"id":"r","trigger":"wait","threshold":0,"actions":[]}]',
    '[{"id":"r","trigger":"wait","threshold":1.5,"actions":[]}]',
    '[{"id":"r","trigger":"wait","threshold":1,"actions":{"a":{"kind":"cancel"}}}]',
    *(
        f'[{{"id":"r","trigger":"wait","threshold":1,"actions":[{action}]}}]'
        for action in (
            "1",
            "{}",
            '{"kind":"explode"}',
            '{"kind":"cancel","note":"no JSON string"}',
            '{"kind":"cancel","queue":"q"}',
            '{"kind":"change","priority":101}',
            '{"kind":"change","priority":"1"}',
            '{"kind":"change","selectors":"x"}',
            '{"kind":"change","queue":"a\\u0000b"}',
            '{"kind":"classify","labels":"x"}',
        )
    ),
]


@pytest.mark.parametrize("rules", MALFORMED)
def test_malformed_rules(router: Router, rules: str) -> None:
    command = c.PolicyUpsert(kind="exception", id="e", document="{}", rules=rules)
    with router.refuses("BAD_CALL"):
        router.pair.store.run(command, START)
    with router.refuses("NOT_FOUND"):
        router.run(c.PolicyRead("exception", "e"))


# ---- classification ------------------------------------------------------------------------------


@pytest.fixture
def classifying(router: Router) -> Router:
    """A router whose policy ``c`` sends vips to the queue ``vip`` with priority 10."""
    router.queue("vip", labels={"Tier": "vip"})
    router.classification(
        priority=ValueRule("expression", compile_expression('If(job.Tier = "vip", 10, 1)').text),
        workers=[Label('"Skill"', "=")],
        queues=[Label('"Tier"', "=")],
    )
    return router


def test_a_job_that_waits_is_classified_again(classifying: Router) -> None:
    """With more labels: its offers are revoked, and it goes where its policy sends it now."""
    router = classifying
    router.worker("w1")
    excepts(router, [wait(MINUTE // 2, Classify(labels='"Tier":"vip"'))])
    router.job("j1", classification="c", queue="q", labels={"Tier": "free", "Zone": 1, "A": 1})
    assert router.offers("w1") == ["j1"]
    router.told()
    router.at(MINUTE // 2)
    job = router.read("j1")
    assert (job.status, job.queue, job.priority) == ("queued", "vip", 10)
    assert job.labels == '"A":1,\n"Tier":"vip",\n"Zone":1'
    assert router.told() == [
        "JobExceptionTriggered j1",
        "OfferRevoked w1 j1",
        "JobClassified j1",
        "JobQueued j1",
    ]


def test_a_job_gets_a_policy_by_an_exception(classifying: Router) -> None:
    router = classifying
    excepts(router, [wait(MINUTE, Classify("c"))])
    router.job("j1", labels={"Tier": "vip"})
    router.at(MINUTE)
    job = router.read("j1")
    assert (job.queue, job.classification) == ("vip", "c")
    with router.refuses("IN_USE"):
        router.run(c.PolicyDelete("classification", "c"))


def test_a_job_without_a_policy_only_takes_the_labels(classifying: Router) -> None:
    router = classifying
    router.worker("w1")
    excepts(router, [wait(MINUTE // 2, Classify("gone", '"Tier":"vip"'))])
    router.job("j1")
    router.told()
    router.at(MINUTE // 2)
    assert (router.read("j1").labels, router.read("j1").queue) == ('"Tier":"vip"', "q")
    assert router.told() == [
        "JobExceptionTriggered j1",
        "OfferRevoked w1 j1",
        "JobQueued j1",
        "OfferIssued w1 j1",
    ]


def test_a_policy_that_is_gone_is_not_taken(classifying: Router) -> None:
    """The job's own is applied instead."""
    router = classifying
    excepts(router, [wait(MINUTE, Classify("gone", '"Tier":"vip"'))])
    router.job("j1", classification="c", queue="q")
    router.at(MINUTE)
    job = router.read("j1")
    assert (job.queue, job.classification) == ("vip", "c")


def test_a_failure_ends_the_rule(classifying: Router) -> None:
    """The actions behind it, and the rules behind that, do not come to anything."""
    router = classifying
    router.classification("bad", priority=ValueRule("value", "true"))
    excepts(router, [wait(MINUTE, Classify("bad"), Cancel()), wait(2 * MINUTE, Cancel(), id="later")])
    router.job("j1")
    router.told()
    router.at(3 * MINUTE)
    assert router.status("j1") == "classificationFailed"
    assert router.told() == ["JobExceptionTriggered j1", "JobClassificationFailed j1"]
    assert router.order() == []


def test_a_job_is_classified_before_it_joins(classifying: Router) -> None:
    """Also one that has just been classified into the long queue, and one that comes back."""
    router = classifying
    router.worker("w1")
    excepts(router, [length(1, Classify("c", '"Tier":"vip"'))])
    fill(router, 1)
    assert router.job("j1")["status"] == "created"
    router.job("j2", classification="c", queue="q")
    assert [router.read(job).queue for job in ("j1", "j2")] == ["vip", "vip"]
    assert router.told() == [
        *["JobReceived j1", "JobExceptionTriggered j1", "JobClassified j1", "JobQueued j1"],
        *[
            "JobReceived j2",
            "JobClassified j2",
            "JobExceptionTriggered j2",
            "JobClassified j2",
            "JobQueued j2",
        ],
    ]


def test_an_unassigned_job_is_classified_before_it_joins(classifying: Router) -> None:
    router = classifying
    router.worker("w1")
    router.job("j1")
    router.accept("w1", "j1")
    fill(router, 1)
    excepts(router, [length(1, Classify("c", '"Tier":"vip"'))])
    router.unassign("j1")
    assert (router.status("j1"), router.read("j1").queue) == ("queued", "vip")


def test_a_failed_job_that_is_given_a_queue_meets_its_rules(classifying: Router) -> None:
    router = classifying
    router.job("j1", classification="c")
    assert router.status("j1") == "classificationFailed"
    fill(router, 1)
    excepts(router, [length(1, Classify(labels='"Late":true'), Change(priority=7))])
    router.job("j1", classification="", queue="q")
    job = router.read("j1")
    assert (job.status, job.labels, job.priority) == ("queued", '"Late":true', 7)


# ---- labels that rules add -----------------------------------------------------------------------


def test_a_job_gets_no_more_labels_than_a_client_may_give_it(router: Router) -> None:
    """All it has stay, with their new values; of the new ones those first in the order of keys find room."""
    more = members_text({f"m{n:02}": n for n in range(60)} | {"k00": "new", "k58": "new", "a": 1, "z": 1})
    excepts(router, [length(1, Classify(labels=more), id=str(n)) for n in range(2)])
    fill(router, 1)
    router.job("j1", labels={f"k{n:02}": n for n in range(59)})
    own = {f"k{n:02}": n for n in range(59)} | {"k00": "new", "k58": "new"}
    added = {"a": 1} | {f"m{n:02}": n for n in range(40)}
    assert router.read("j1").labels == members_text(own | added)


def test_labels_whose_keys_begin_alike_stand_in_the_order_of_bytes(router: Router) -> None:
    alike = "k" * 70
    more = members_text({alike + end: 1 for end in ("", "B", "a", "é", "\U0001f600")} | {"k" * 33: 2, '"': 3})
    excepts(router, [length(1, Classify(labels=more))])
    fill(router, 1)
    router.job("j1", labels={alike + end: 0 for end in ("A", "a", "\uffff")} | {"k" * 32: 0})
    labels = json.loads("{" + router.read("j1").labels + "}")
    assert list(labels) == sorted(labels)
    assert len(labels) == 10


# ---- how much rules do in one call ---------------------------------------------------------------


def test_the_more_there_is_of_a_job_the_fewer_rules_fire_on_one_way(router: Router) -> None:
    """Each event tells all of it: then it joins where it is."""
    excepts(router, [length(1, Classify(labels='"a":1'), id=str(n)) for n in range(100)])
    fill(router, 1)
    fired = []
    for size in (0, 600, 2_600, 60_000):
        labels = {f"k{n}": "x" * 600 for n in range(size // 600)}
        router.job(f"j{size}", labels=labels)
        fired.append(router.told().count(f"JobExceptionTriggered j{size}"))
        assert f"j{size}" in router.order()
    assert fired == [50, 25, 10, 1]


def test_rules_of_the_wait_go_on_in_the_next_call(router: Router) -> None:
    """Each of them fires once, in their order, however much is due at once."""
    excepts(router, [wait(MINUTE, *[Change(priority=n + k) for k in range(5)], id=str(n)) for n in range(40)])
    router.job("j1", channel="nobody", labels={"a": "x" * 600})
    router.job("j2", channel="nobody")
    router.told()
    router.outage(MINUTE)
    told, calls = [], 0
    while not calls or router.sweep()["more"]:
        calls += 1
    told = [line for line in router.told() if "Triggered" in line]
    assert (told.count("JobExceptionTriggered j1"), told.count("JobExceptionTriggered j2")) == (40, 40)
    assert calls > 5
    assert router.read("j1").priority == router.read("j2").priority == 43
