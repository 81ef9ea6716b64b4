"""``jobrouter why`` on what typically goes wrong: the sentences as a supervisor reads them."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from api import cli
from api.sentences import sentence
from engine import commands as c
from engine.errors import Refused
from engine.exception_rules import Cancel, rules_text
from engine.exception_rules import Rule as WaitRule
from engine.explanations import WorkerExplanation
from engine.pipelines import Rule
from engine.scoring import Function, scoring_text
from tests import support
from tests.stories.router import START, Router, wants

Why = Callable[..., str]


@pytest.fixture
def why(router: Router, server: support.Server, tenant: str, capsys: pytest.CaptureFixture[str]) -> Why:
    """What the command prints about a job, and a worker."""

    def told(*operands: str, status: int = 0) -> str:
        capsys.readouterr()
        assert cli.main(["why", *operands, "--redis-url", server.url, "--tenants", tenant]) == status
        printed = capsys.readouterr()
        return printed.out if status == 0 else printed.err

    return told


def waiting(reasons: str, position: str = "1 of 1") -> str:
    """What is printed about a waiting job."""
    return f"Job j waits in queue q on channel voice, at position {position}.\n{reasons}"


def test_worker_that_is_signed_off(router: Router, why: Why) -> None:
    router.worker("anna", available=False)
    router.job("j")
    assert why("j", "anna") == waiting("- Worker anna is signed off.\n")


def test_worker_that_is_signing_off(router: Router, why: Why) -> None:
    router.worker("anna", capacity=2)
    router.job("first")
    router.accept("anna", "first")
    router.worker("anna", available=False)
    router.job("j")
    assert why("j", "anna") == waiting(
        "- Worker anna is signing off: it finishes what it has, and gets no more.\n"
    )


def test_worker_that_is_signing_off_at_its_maximum(router: Router, why: Why) -> None:
    """Nothing is counted for a worker that is not active: what it holds is."""
    router.worker("anna", capacity=5, channels={"voice": (1, 1)})
    router.job("first")
    router.accept("anna", "first")
    router.worker("anna", available=False)
    router.job("j")
    assert why("j", "anna") == waiting(
        "- Worker anna is signing off: it finishes what it has, and gets no more.\n"
        "- Worker anna has as many jobs on channel voice as it may have (1); it holds first (assignment).\n"
    )


def test_other_queue_and_channel(router: Router, why: Why) -> None:
    router.queue("other")
    router.worker("anna", queues=["other"], channels={"chat": 1})
    router.job("j")
    assert why("j", "anna") == waiting(
        "- Worker anna does not serve queue q.\n- Worker anna does not take channel voice.\n"
    )


def test_skill_too_low(router: Router, why: Why) -> None:
    router.worker("anna", labels={"english": 3, "team": "red"})
    router.job(
        "j",
        selectors=[
            wants("english", ">=", 5, seconds=90),
            wants("team", "!=", "red"),
            wants("licence", "!="),
            wants("Id", "=", "bert"),
        ],
    )
    assert why("j", "anna") == waiting(
        "- The job asks for Id bert, but worker anna has anna.\n"
        "- The job asks for english of at least 5 until 2023-11-14 22:14:50 UTC, but worker anna has 3.\n"
        "- The job asks for some licence, but worker anna has none.\n"
        "- The job asks for team other than red, but worker anna has red.\n"
        "What changes by itself:\n"
        "- At 2023-11-14 22:14:50 UTC the next selector runs out: worker anna does not fit then either.\n"
    )
    router.job("k", selectors=[wants("english", ">=", 5, seconds=90)])
    assert why("k", "anna").endswith("the next selector runs out: worker anna then fits.\n")


def test_declined(router: Router, why: Why) -> None:
    router.worker("anna")
    router.job("j")
    router.decline("anna", "j", retry_at=600_000)
    assert why("j", "anna") == waiting(
        "- Worker anna has declined the job, and is asked again at 2023-11-14 22:23:20 UTC.\n"
        "What changes by itself:\n"
        "- At 2023-11-14 22:23:20 UTC worker anna may be asked again.\n"
    )
    router.at(600_000)
    router.decline("anna", "j")
    assert why("j", "anna") == waiting(
        "- Worker anna has declined the job, and is not asked again until it signs off and on.\n"
    )


def test_full(router: Router, why: Why) -> None:
    router.worker("anna", capacity=3, channels={"voice": 2})
    router.job("first")
    router.accept("anna", "first")
    router.job("j")
    assert why("j", "anna") == waiting(
        "- Worker anna has no room on channel voice: a job needs 2 of its capacity of 3, and 1 is free; "
        "it holds first (assignment).\n"
    )


def test_more_than_a_worker_has(router: Router, why: Why) -> None:
    router.worker("anna", channels={"voice": 2})
    router.job("j")
    assert why("j", "anna") == waiting(
        "- Worker anna has no room on channel voice: a job needs 2 of its capacity of 1, and 1 is free.\n"
    )


def test_full_and_behind_others(router: Router, why: Why) -> None:
    router.worker("anna")
    for job in ("first", "second"):
        router.job(job)
    router.job("j")
    assert why("j", "anna") == waiting(
        "- 1 job of the same needs waits before it: second.\n"
        "- Worker anna has no room on channel voice: a job needs 1 of its capacity of 1, and 0 is free; "
        "it holds first (offer).\n"
        "- When it has room, it gets another job before it: second.\n",
        "3 of 3",
    )


def test_channel_maximum(router: Router, why: Why) -> None:
    router.worker("anna", capacity=5, channels={"voice": (1, 1)})
    router.job("first")
    router.job("j")
    assert why("j", "anna") == waiting(
        "- Worker anna has as many jobs on channel voice as it may have (1); it holds first (offer).\n",
        "2 of 2",
    )


def test_offer_limit(router: Router, why: Why) -> None:
    router.worker("anna", capacity=5, max_offers=1)
    router.job("first")
    router.job("j")
    assert why("j", "anna") == waiting(
        "- Worker anna has as many open offers as it may have (1); it holds first (offer).\n", "2 of 2"
    )


def test_offered_elsewhere(router: Router, why: Why) -> None:
    router.worker("anna")
    router.at(1_000)
    router.worker("bert")
    router.job("j")
    offered = (
        "- The job is already offered to anna, as many as its queue asks at a time: "
        "the answer is awaited until 2023-11-14 22:14:21 UTC.\n"
    )
    changes = (
        "What changes by itself:\n"
        "- At 2023-11-14 22:14:21 UTC its first offer ends unless it is answered: "
        "worker bert would be asked next.\n"
    )
    assert why("j", "bert") == waiting(
        f"{offered}- Worker bert fits and is free, but the job is offered to anna by longest idle "
        "(it waits since 2023-11-14 22:13:21 UTC; anna waits since 2023-11-14 22:13:20 UTC).\n"
        f"{changes}"
    )
    assert why("j", "anna") == waiting(
        f"{offered}- The job is already offered to worker anna until 2023-11-14 22:14:21 UTC.\n"
        "- Worker anna has no room on channel voice: a job needs 1 of its capacity of 1, and 0 is free; "
        f"it holds j (offer).\n{changes}"
    )


def test_others_score_better(router: Router, why: Why) -> None:
    router.policy(mode="bestWorker")
    router.worker("anna", labels={"english": 3})
    router.worker("bert", labels={"english": 9})
    router.job("j", labels={"english": 9})
    assert why("j", "anna").splitlines()[2] == (
        "- Worker anna fits and is free, but the job is offered to bert by the best score "
        "(it scores 0, waits since 2023-11-14 22:13:20.000 UTC; "
        "bert scores 1, waits since 2023-11-14 22:13:20.000 UTC)."
    )


def test_waits_that_differ_by_less_than_a_second(router: Router, why: Why) -> None:
    router.worker("anna")
    router.at(7)
    router.worker("bert")
    router.job("j")
    assert (
        why("j", "bert")
        .splitlines()[2]
        .endswith(
            "by longest idle (it waits since 2023-11-14 22:13:20.007 UTC; "
            "anna waits since 2023-11-14 22:13:20.000 UTC)."
        )
    )


def test_what_is_missing_is_told_in_the_same_words(router: Router) -> None:
    missing: list[c.Command] = [
        c.JobExplain("x"),
        c.WorkerExplain("x"),
        c.JobHistory("x"),
        c.WorkerHistory("x"),
    ]
    for command in [*missing, c.JobRead("x"), c.WorkerRead("x")]:
        with pytest.raises(Refused, match="The item was not found") as refused:
            router.pair.store.run(command, START)
        assert refused.value.code == "NOT_FOUND"
    router.job("j")
    with pytest.raises(Refused, match="The worker was not found"):
        router.pair.store.run(c.JobExplain("j", "x"), START)


def others_score(router: Router, *workers: str) -> None:
    rule = Function('{"url":"https://function.example/"}', batch=5)
    router.policy(mode="bestWorker", rules=scoring_text(rule))
    for worker in workers:
        router.worker(worker)


def lines_of(text: str, what: str) -> list[str]:
    return [line for line in text.splitlines() if what in line]


@pytest.mark.parametrize(
    ("others", "then"),
    [
        ([], "nobody else could be asked now."),
        (["bert"], "worker bert would be asked next."),
        (
            ["bert", "carl"],
            "the 2 other free workers that fit would then be scored, and the best of them asked.",
        ),
    ],
)
def test_who_is_next_where_others_score(router: Router, why: Why, others: list[str], then: str) -> None:
    others_score(router, "anna", *others)
    router.job("j")
    for row in router.lease():
        router.rank(row, ("anna", 9), *((worker, 1) for worker in others))
    assert lines_of(why("j"), "first offer ends") == [
        f"- At 2023-11-14 22:14:20 UTC its first offer ends unless it is answered: {then}"
    ]


def test_outranked_by_a_score_that_others_gave(router: Router, why: Why) -> None:
    """The one who has waited longer is not asked: its wait says nothing."""
    others_score(router, "anna", "bert", "carl")
    router.job("j")
    (row,) = router.lease()
    router.rank(row, ("bert", 9.5), ("anna", 1), ("carl", None))
    assert lines_of(why("j", "anna"), "fits and is free") == [
        "- Worker anna fits and is free, but the job is offered to bert by the best score, "
        "given by a function or webhook (bert got 9.5 among 3 ranked; other scores are not kept)."
    ]


def test_nobody_has_a_score(router: Router, why: Why) -> None:
    others_score(router, "anna")
    router.at(1_000)
    router.worker("bert")
    router.job("j")
    (row,) = router.lease()
    router.rank(row, ("anna", None), ("bert", None))
    assert lines_of(why("j", "bert"), "fits and is free") == [
        "- Worker bert fits and is free, but the job is offered to anna by longest idle, for nobody who was "
        "free had a score (it waits since 2023-11-14 22:13:21 UTC; anna waits since 2023-11-14 22:13:20 UTC)."
    ]


def test_nobody_was_scored(router: Router, why: Why) -> None:
    others_score(router, "anna")
    router.job("j")
    router.worker("bert")
    assert lines_of(why("j", "bert"), "fits and is free") == [
        "- Worker bert fits and is free, but the job is offered to anna: "
        "nobody else could be asked when anna was."
    ]


def test_the_rule_of_a_queue_has_changed(router: Router, why: Why) -> None:
    """What the rule of now says is not why the one was asked."""
    for worker in ("anna", "bert"):
        router.worker(worker)
    told = [
        "- Worker bert fits and is free, but the job is offered to anna: its queue had another rule then."
    ]
    router.job("j")
    router.policy(mode="bestWorker")
    assert lines_of(why("j", "bert"), "fits and is free") == told
    router.cancel("j")
    router.job("k")
    others_score(router)
    assert lines_of(why("k", "bert"), "fits and is free") == told


def test_others_have_scored_and_the_log_does_not_tell(router: Router) -> None:
    others_score(router, "anna", "bert")
    router.job("j")
    (row,) = router.lease()
    router.rank(row, ("anna", 9), ("bert", 1))
    found = WorkerExplanation(worker="bert", state="active")
    found.add(router.pair.store.run(c.WorkerExplain("bert"), START))
    (outranked,) = found.queues[0].jobs[0].obstacles
    assert sentence(outranked, "bert") == (
        "Worker bert fits and is free, but the job is offered to anna: "
        "what a function or webhook has scored is not kept."
    )


def test_a_freed_worker_outranks_nobody(router: Router, why: Why) -> None:
    """The one who came later has the better score, and was not there."""
    router.policy(mode="bestWorker")
    router.job("j", labels={"english": 9})
    router.worker("anna")
    router.worker("bert", labels={"english": 9})
    assert lines_of(why("j", "bert"), "fits and is free") == [
        "- Worker bert fits and is free, but the job is offered to anna: "
        "nobody else could be asked when anna became free."
    ]


def test_the_turn_of_another(router: Router, why: Why) -> None:
    router.policy(mode="roundRobin")
    router.worker("anna")
    router.worker("bert")
    router.job("j")
    assert why("j", "bert").splitlines()[2] == (
        "- Worker bert fits and is free, but the job is offered to anna by round robin "
        "(the last turn was that of anna)."
    )


def test_selectors_that_have_run_out_of_a_suspended_job(router: Router, why: Why) -> None:
    router.worker("anna")
    router.job("j", selectors=[wants("english", ">=", 5, seconds=90), wants("team", "!=")])
    router.worker("bert", labels={"team": "red"})
    router.job("j", mode="suspend")
    told = "Job j of queue q on channel voice is waitingForActivation.\n"
    told += "- The job is suspended: it waits to be activated.\n"
    assert why("j", "anna") == f"{told}- The job asks for some team, but worker anna has none.\n"
    assert why("j", "bert") == told


def test_what_has_run_out_stays_so_when_the_clock_is_set_back(router: Router) -> None:
    router.worker("anna", available=False)
    router.job("j", selectors=[wants("english", ">=", 5, seconds=1)])
    router.at(1_000)
    router.job("j", mode="suspend")
    router.outage(500)
    told = router.pair.store.run(c.JobExplain("j", "anna"), START + router.now)
    assert "not_registered" in str(told)
    assert "selector_failed" not in str(told)


def test_jobs_outside_their_queue(router: Router, why: Why) -> None:
    router.worker("anna", available=False)
    router.job("j", mode="suspend")
    assert why("j", "anna") == (
        "Job j of queue q on channel voice is waitingForActivation.\n"
        "- The job is suspended: it waits to be activated.\n"
        "- Worker anna is signed off.\n"
    )
    router.job("j", mode="scheduleAndSuspend", schedule_at=START + 5_000)
    assert why("j") == (
        "Job j of queue q on channel voice is scheduled.\n"
        "- The job is scheduled: it waits until 2023-11-14 22:13:25 UTC, and is then to be activated.\n"
        "The only worker of queue q is not signed on.\n"
        "- 1 worker of the queue is not signed on.\n"
        "Some of the workers:\n"
        "- Worker anna is signed off.\n"
        "What changes by itself:\n"
        "- At 2023-11-14 22:13:25 UTC it may be activated.\n"
    )
    router.cancel("j")
    assert why("j") == (
        "Job j of queue q on channel voice is cancelled.\n"
        "- The job is cancelled: nothing more happens to it.\n"
    )


def test_queue_without_workers(router: Router, why: Why) -> None:
    router.queue("other")
    router.worker("anna", queues=["other"])
    router.job("j")
    assert why("j") == waiting("No worker serves queue q.\n- 1 worker does not serve queue q.\n")


def test_label_that_nobody_has(router: Router, why: Why) -> None:
    router.worker("anna", labels={"english": 3})
    router.worker("bert", channels={"chat": 1})
    router.job("j", selectors=[wants("french", "=", True)])
    assert why("j") == waiting(
        "2 workers are signed on to queue q, and none fits the job.\n"
        "- 1 worker does not take channel voice.\n"
        "- Nobody who is signed on has french true; 1 lacks nothing else.\n"
        "Some of the workers:\n"
        "- The job asks for french true, but worker anna has none.\n"
        "- Worker bert does not take channel voice.\n"
        "- The job asks for french true, but worker bert has none.\n"
    )


def test_all_who_fit_are_busy_or_have_declined(router: Router, why: Why) -> None:
    for worker in ("anna", "bert", "carl"):
        router.worker(worker, labels={"english": 3 if worker == "carl" else 7})
    rules = rules_text([WaitRule("late", "wait", 80_000, [Cancel()])])
    router.policy_of("exception", "e", rules=rules)
    router.queue(exception="e")
    router.job("first")
    router.job("j", selectors=[wants("english", ">=", 5, seconds=90)])
    router.decline("bert", "j", retry_at=30_000)
    assert why("j") == waiting(
        "3 workers are signed on to queue q, 2 of them fit the job, and 1 of these has room.\n"
        "- 1 worker does not have english of at least 5 until 2023-11-14 22:14:50 UTC; "
        "it lacks nothing else.\n"
        "- 1 worker fits but has no room now.\n"
        "Some of the workers:\n"
        "- Worker bert has declined the job, and is asked again at 2023-11-14 22:13:50 UTC.\n"
        "- The job asks for english of at least 5 until 2023-11-14 22:14:50 UTC, but worker carl has 3.\n"
        "- Worker anna has no room on channel voice: a job needs 1 of its capacity of 1, and 0 is free.\n"
        "What changes by itself:\n"
        "- At 2023-11-14 22:13:50 UTC worker bert may be asked again.\n"
        "- At 2023-11-14 22:14:40 UTC rule late of exception policy e fires.\n"
        "- At 2023-11-14 22:14:50 UTC the next selector runs out: 1 more worker fits, "
        "1 of these with room now.\n",
        "2 of 2",
    )


def test_the_example_of_the_readme(router: Router, why: Why) -> None:
    readme = (Path(__file__).parents[2] / "api" / "README.md").read_text()
    example = readme.partition("$ jobrouter why call-7\n")[2].partition("```")[0]
    router.queue("sales")
    for worker, labels in {"carl": {}, "anna": {"english": 3}, "bert": {"english": 7}}.items():
        router.worker(worker, queues=["sales"], labels=labels)
    router.job("call-2", queue="sales", selectors=[wants("english", ">=", 5)])
    router.accept("bert", "call-2")
    for job in ("call-4", "call-5", "call-7"):
        router.job(job, queue="sales", selectors=[wants("english", ">=", 5, seconds=90)])
    time = r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC"
    assert re.sub(time, "TIME", why("call-7")) == re.sub(time, "TIME", example)


def test_job_whose_rule_has_not_answered(router: Router, why: Why) -> None:
    router.classification("c", priority=Rule("webhook", "{}"))
    router.job("j", classification="c")
    assert why("j") == (
        "Job j on channel voice is pendingClassification.\n"
        "- The job is being classified: it waits for the answer of a rule.\n"
    )


def test_job_that_somebody_has(router: Router, why: Why) -> None:
    router.worker("anna")
    router.job("j")
    router.accept("anna", "j")
    assert why("j") == (
        "Job j of queue q on channel voice is assigned.\n- The job is assigned to worker anna.\n"
    )


def test_job_or_worker_that_is_unknown(router: Router, why: Why) -> None:
    router.job("j")
    assert why("nothing", status=1) == "jobrouter: there is no job nothing\n"
    assert why("j", "nobody", status=1) == "jobrouter: there is no worker nobody\n"
