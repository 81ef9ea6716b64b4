"""Best worker where others score: the question, the ranking that answers it, and queues that are closed."""

from __future__ import annotations

import json
from typing import Any

import pytest

from engine import commands as c
from engine.exception_rules import Change, rules_text
from engine.exception_rules import Rule as ExceptionRule
from engine.pipelines import Always
from engine.scoring import Equal, Function, Webhook, scoring_text
from engine.worker.rankings import MOST_RANKED
from tests.stories.router import START, Router, wants
from tests.stories.test_classification import some

RULE = Function('{"url":"https://function.example/"}', batch=5)
NOBODY: list[str] = []


@pytest.fixture
def scored(router: Router) -> Router:
    """Queue ``q`` lets a function score; three workers are free, the longest available first."""
    others_score(router)
    for worker in ("w1", "w2", "w3"):
        router.worker(worker)
    router.told()
    return router


def others_score(router: Router, rule: Function | Webhook = RULE, **given: Any) -> None:
    router.policy(mode="bestWorker", rules=scoring_text(rule), **given)


def question(router: Router, job_id: str = "j1") -> Any:
    """The question about a job that waits for it."""
    (found,) = [row for row in router.lease(lease_ms=1) if row["task"] == f"score:{job_id}"]
    return found


def tasks(router: Router) -> list[str]:
    found: list[str] = router.redis.zrange(f"{router.root}:tasks", 0, -1)
    return sorted(found)


def asked(router: Router) -> list[str]:
    """The jobs whose workers are being scored."""
    return [job.id for job in router.pair.state.jobs.values() if job.scoring]


# ---- the question ----------------------------------------------------------------------------------------


def test_the_path_of_a_job_whose_workers_others_score(scored: Router) -> None:
    scored.job("j1", labels={"Tier": "gold"}, selectors=[wants("skill", "!=", 3, seconds=60)])
    assert scored.status("j1") == "queued"
    assert scored.order() == ["j1"]
    assert scored.told() == ["JobReceived j1", "JobQueued j1"]
    (row,) = scored.lease()
    assert row["task"] == "score:j1"
    assert row["labels"] == '"Tier":"gold"'
    assert row["selectors"].startswith('"skill"\t!=\t3\t60\t0')
    assert row["rules"] == scoring_text(RULE)
    assert (row["descending"], row["secret"]) == (1, "")
    assert scored.rank(row, ("w2", 9), ("w3", 5), ("w1", 1)) == "done"
    assert scored.told() == ["OfferIssued w2 j1"]
    assert tasks(scored) == []


def test_a_new_question_rings_the_bell(scored: Router) -> None:
    scored.at(500)
    scored.job("j1")
    assert scored.redis.get(f"{scored.root}:bell") == str(START + 500)


def test_secrets_are_told_with_the_question_alone(scored: Router) -> None:
    secret = '{"scoring":{"function_key":"k"}}'
    others_score(scored, secret=secret)
    scored.job("j1")
    assert question(scored)["secret"] == secret
    assert "function_key" not in json.dumps(scored.events())


def test_without_a_free_worker_a_job_waits(router: Router) -> None:
    others_score(router)
    router.job("j1")
    assert tasks(router) == []
    router.worker("w1")
    assert router.offered("j1") == ["w1"]


def test_a_single_worker_gets_the_job_unasked(scored: Router) -> None:
    scored.worker("w4", labels={"vip": True})
    scored.job("j1", selectors=[wants("vip", "=", True)])
    scored.job("j2", selectors=[wants("Id", "=", "w1")])
    assert (scored.offered("j1"), scored.offered("j2")) == (["w4"], ["w1"])
    assert tasks(scored) == []


def test_a_ranking_is_told_even_of_a_job_that_names_its_worker_now(scored: Router) -> None:
    others_score(scored, bypass=True)
    scored.job("j1", selectors=[wants("Id", "=", "w1")])
    others_score(scored, bypass=False)
    assert scored.rank(question(scored), ("w2", 9), ("w1", 5)) == "done"
    assert scored.offered("j1") == ["w1"]
    (issued,) = [event for event in scored.events() if event["eventType"].endswith("OfferIssued")]
    assert (issued["data"]["decision"]["score"], issued["data"]["decision"]["ranked"]) == (5, 2)


def test_the_only_worker_that_has_not_declined_gets_the_job_unasked(scored: Router) -> None:
    scored.worker("w3", available=False)
    scored.job("j1")
    scored.rank(question(scored), ("w1", 1))
    scored.decline("w1", "j1")
    assert scored.offered("j1") == ["w2"]


def test_only_the_workers_that_fit_are_told(scored: Router) -> None:
    scored.worker("busy")
    scored.job("other", selectors=[wants("Id", "=", "busy")])
    scored.worker("away", available=False)
    scored.worker("elsewhere", queues=[])
    scored.worker("full", capacity=0)
    scored.worker("chat", channels={"chat": 1})
    scored.worker("w2", labels={"skill": 5})
    scored.worker("w3", labels={"skill": 7, "site": "x"})
    scored.job("j1", selectors=[wants("skill", ">", 1)])
    reply = scored.pair.store.run(c.JobCandidates("j1", int(question(scored)["asked"])), START)
    rows = {row["worker"]: sorted(row["labels"].split(",\n")) for row in reply["rows"]}
    assert rows == {"w2": ['"skill":5'], "w3": ['"site":"x"', '"skill":7']}
    assert reply["next"] == ""


def test_of_an_outdated_question_nobody_is_told(scored: Router) -> None:
    scored.job("j1")
    number = int(question(scored)["asked"])
    for job, given in (("j1", number + 1), ("nobody", number)):
        assert scored.pair.store.run(c.JobCandidates(job, given), START) == {"next": "", "rows": []}


def test_many_workers_are_told_portion_by_portion(router: Router) -> None:
    others_score(router)
    for n in range(230):
        router.pair.store.run(
            c.WorkerUpsert(
                f"w{n}",
                capacity=1,
                available=True,
                queues='"q"',
                channels='"voice"\t1\t',
                labels=f'"x":{n % 3}',
            ),
            START,
        )
    store = router.pair.store
    store.run(c.JobCreate("j1", queue="q", channel="voice"), START)
    number = int(store.run(c.JobRead("j1"), START)["scoring"])
    found, after, portions = [], "", 0
    while portions == 0 or after:
        page = store.run(c.JobCandidates("j1", number, after), START)
        assert len(page["rows"]) <= 200
        found += [row["worker"] for row in page["rows"]]
        after, portions = page["next"], portions + 1
    assert sorted(found) == sorted(f"w{n}" for n in range(230))
    assert portions == 2


def test_candidates_stay_when_classes_leave_between_two_portions(router: Router) -> None:
    others_score(router)
    store, count, left = router.pair.store, 300, 60
    shape = {"capacity": 1, "queues": '"q"', "channels": '"voice"\t1\t'}
    for n in range(count):
        store.run(c.WorkerUpsert(f"w{n}", available=True, labels=f'"x":{n}', **shape), START)  # type: ignore[arg-type]
    store.run(c.JobCreate("j1", queue="q", channel="voice"), START)
    number = int(store.run(c.JobRead("j1"), START)["scoring"])
    page = store.run(c.JobCandidates("j1", number), START)
    found = [row["worker"] for row in page["rows"]]
    for worker in found[:left]:
        given = c.WorkerUpsert(worker, doc=1, labels=f'"x":{worker[1:]}', **shape)  # type: ignore[arg-type]
        store.run(given, START)
    while page["next"]:
        page = store.run(c.JobCandidates("j1", number, page["next"]), START)
        found += [row["worker"] for row in page["rows"]]
    assert sorted(found) == sorted(f"w{n}" for n in range(count))


def test_a_narrow_selector_finds_its_workers_among_many_label_sets(router: Router) -> None:
    others_score(router)
    store = router.pair.store
    shape = {"capacity": 1, "available": True, "queues": '"q"', "channels": '"voice"\t1\t'}
    for n in range(520):
        labels = f'"name":{n},\n"pair":{n // 2}'
        store.run(c.WorkerUpsert(f"w{n}", labels=labels, **shape), START)  # type: ignore[arg-type]
    store.run(c.JobCreate("j1", queue="q", channel="voice", selectors='"pair"\t=\t7\t\t0\t'), START)
    number = int(store.run(c.JobRead("j1"), START)["scoring"])
    page = store.run(c.JobCandidates("j1", number), START)
    assert (sorted(row["worker"] for row in page["rows"]), page["next"]) == (["w14", "w15"], "")


@pytest.mark.parametrize(
    "after", ["x", "-1", " ", "1 ", "1 zz (1", "1 aa (x", "1 aa", "1 aa -inf", "1 (1 aa", "9" * 20]
)
def test_job_candidates_malformed(scored: Router, after: str) -> None:
    scored.job("j1")
    number = int(question(scored)["asked"])
    with scored.refuses("BAD_CALL"):
        scored.pair.store.run(c.JobCandidates("j1", number, after), START)


# ---- the answer ------------------------------------------------------------------------------------------


def test_of_equal_scores_the_longest_available_now_is_taken(scored: Router) -> None:
    scored.job("j1")
    row = question(scored)
    # it becomes available anew
    scored.worker("w1", available=False)
    scored.worker("w1", available=True)
    scored.rank(row, ("w1", 5), ("w3", 5), ("w2", 5))
    assert scored.offered("j1") == ["w2"]


def test_a_worker_without_a_score_comes_last(scored: Router) -> None:
    others_score(scored, offers=3)
    scored.job("j1")
    scored.rank(question(scored), ("w3", -7), ("w2", None), ("w1", None))
    assert scored.offered("j1") == ["w3", "w1", "w2"]


def test_who_is_busy_when_the_answer_comes_is_passed_over(scored: Router) -> None:
    scored.job("j1")
    row = question(scored)
    scored.job("j2", selectors=[wants("Id", "=", "w3")])
    scored.worker("w2", available=False)
    scored.rank(row, ("w3", 3), ("w2", 2), ("stranger", 1.5), ("w1", 1))
    assert scored.offered("j1") == ["w1"]


def test_with_nobody_of_the_ranking_left_the_pick_begins_anew(scored: Router) -> None:
    scored.job("j1")
    first = question(scored)
    assert scored.rank(first, ("stranger", 1)) == "done"
    second = question(scored)
    assert int(second["asked"]) > int(first["asked"])
    for worker in ("w1", "w2"):
        scored.worker(worker, available=False)
    scored.rank(second, ("w1", 2), ("w2", 1))
    assert scored.offered("j1") == ["w3"]
    scored.decline("w3", "j1")
    assert (scored.offered("j1"), tasks(scored)) == (NOBODY, [])


def test_who_came_after_the_question_comes_after_the_ranked(scored: Router) -> None:
    others_score(scored, offers=4)
    scored.job("j1")
    row = question(scored)
    scored.worker("w4")
    scored.rank(row, ("w3", 3), ("w2", 2), ("w1", 1))
    assert scored.offered("j1") == ["w3", "w2", "w1", "w4"]


def test_several_who_came_after_the_question_are_scored_too(scored: Router) -> None:
    others_score(scored, offers=4)
    scored.job("j1")
    row = question(scored)
    for worker in ("w4", "w5"):
        scored.worker(worker)
    scored.rank(row, ("w3", 3), ("w2", 2), ("w1", 1))
    assert scored.offered("j1") == ["w3", "w2", "w1"]
    scored.rank(question(scored), ("w5", 1), ("w4", 0))
    assert scored.offered("j1") == ["w3", "w2", "w1", "w5"]


def test_an_answer_counts_once(scored: Router) -> None:
    others_score(scored, offers=2)
    scored.job("j1")
    row = question(scored)
    assert scored.rank(row, ("w1", 1), ("w2", 1)) == "done"
    assert scored.rank(row, ("w3", 1)) == "outdated"
    assert scored.offered("j1") == ["w1", "w2"]


def test_a_lease_that_runs_out_asks_again(scored: Router) -> None:
    scored.job("j1")
    first = scored.lease(lease_ms=1_000)
    assert scored.lease() == []
    scored.at(1_000)
    assert scored.lease() == first


@pytest.mark.parametrize(
    "text",
    [
        "",
        "x",
        "1",
        "null",
        '{"w1":1}',
        "[1]",
        "[[]]",
        '["w1"]',
        '[["w1"]]',
        '[["w1",1,2]]',
        '[["w1","1"]]',
        '[["w1",true]]',
        "[[1,1]]",
        "[[null,1]]",
        '[["w1",1e999]]',
        '[["w1",NaN]]',
        '[{"a":"w1","b":1}]',
        json.dumps([[f"w{n}", n] for n in range(MOST_RANKED + 1)]),
    ],
)
def test_task_answer_with_malformed_ranking(scored: Router, text: str) -> None:
    scored.job("j1")
    row = question(scored)
    before = scored.digest()
    with scored.refuses("BAD_CALL"):
        answer = c.TaskAnswer("score:j1", int(row["asked"]), int(row["revision"]), text)
        scored.pair.store.run(answer, START)
    assert scored.digest() == before


def test_a_ranking_of_as_many_as_it_may_name(scored: Router) -> None:
    scored.job("j1")
    ranking = [(f"x{n}", 1.0) for n in range(MOST_RANKED - 1)]
    assert scored.rank(question(scored), *ranking, ("w2", 0.5)) == "done"
    assert scored.offered("j1") == ["w2"]


# ---- what makes the question anew, or withdraws it -------------------------------------------------------


def test_other_labels_ask_anew(scored: Router) -> None:
    scored.job("j1")
    row = question(scored)
    scored.job("j1", labels={"a": 1})
    assert scored.rank(row, ("w1", 1)) == "outdated"
    assert question(scored)["labels"] == '"a":1'


def test_other_selectors_ask_anew_or_no_more(scored: Router) -> None:
    scored.worker("w1", labels={"a": 1})
    scored.job("j1")
    row = question(scored)
    scored.job("j1", selectors=[wants("a", "=", 1)])
    assert scored.rank(row, ("w2", 1)) == "outdated"
    assert (scored.offered("j1"), tasks(scored)) == (["w1"], [])


def test_another_priority_or_tag_leaves_the_question(scored: Router) -> None:
    scored.job("j1")
    row = question(scored)
    scored.job("j1", priority=9, tags={"t": 1})
    assert scored.rank(row, ("w2", 1)) == "done"
    assert scored.offered("j1") == ["w2"]


def test_selectors_that_run_out_ask_anew(scored: Router) -> None:
    for worker in ("w1", "w2"):
        scored.worker(worker, labels={"a": 1})
    scored.job("j1", selectors=[wants("a", "=", 1, seconds=1)])
    row = question(scored)
    assert row["selectors"].startswith('"a"\t=')
    scored.at(1_000)
    assert scored.rank(row, ("w1", 1)) == "outdated"
    second = question(scored)
    assert second["selectors"] == ""
    assert scored.rank(second, ("w3", 1)) == "done"
    assert scored.offered("j1") == ["w3"]


def test_an_exception_rule_asks_anew(scored: Router) -> None:
    scored.queue("q2", distribution="p")
    for worker in ("w1", "w2"):
        scored.worker(worker, queues=["q", "q2"])
    rule = ExceptionRule("r", "wait", 1_000, [Change("q2")])
    scored.policy_of("exception", "e", rules=rules_text([rule]))
    scored.queue(exception="e")
    scored.job("j1")
    row = question(scored)
    scored.at(1_000)
    assert scored.rank(row, ("w3", 1)) == "outdated"
    assert scored.rank(question(scored), ("w3", 2), ("w2", 1)) == "done"
    assert scored.offered("j1") == ["w2"]


@pytest.mark.parametrize("how", ["cancel", "suspend", "schedule", "move", "classify", "life"])
def test_a_job_that_leaves_its_queue_is_asked_about_no_more(scored: Router, how: str) -> None:
    scored.policy("local")
    scored.queue("q2", distribution="local")
    scored.classification(queues=[Always(some(wants("Id", "=", "q2")))])
    scored.job("j1")
    row = question(scored)
    if how == "cancel":
        scored.cancel("j1")
    elif how == "suspend":
        scored.job("j1", mode="suspend")
    elif how == "schedule":
        scored.job("j1", mode="scheduleAndSuspend", schedule_at=START + 9_000)
    elif how == "move":
        scored.job("j1", queue="q2")
    elif how == "classify":
        scored.job("j1", classification="c")
    else:
        scored.at(90 * 86_400_000)
    assert (tasks(scored), asked(scored)) == ([], [])
    assert scored.rank(row, ("w1", 1)) == "outdated"
    assert scored.offered("j1") == NOBODY


def test_a_deleted_job_is_asked_about_no_more(scored: Router) -> None:
    scored.job("j1")
    row = question(scored)
    scored.cancel("j1")
    scored.run(c.JobDelete("j1"))
    assert scored.rank(row, ("w1", 1)) == "outdated"


def test_another_version_of_the_policy_asks_anew(scored: Router) -> None:
    scored.job("j1")
    row = question(scored)
    others_score(scored, Webhook('{"url":"https://hook.example/"}'), descending=False)
    assert scored.rank(row, ("w1", 1)) == "outdated"
    second = question(scored)
    assert second["asked"] == row["asked"]
    assert (json.loads(second["rules"])["kind"], second["descending"]) == ("webhook", 0)
    assert scored.rank(second, ("w1", 1)) == "done"
    assert scored.offered("j1") == ["w1"]


def test_another_policy_of_the_queue_asks_anew_though_its_counter_is_the_same(scored: Router) -> None:
    scored.policy("other", mode="bestWorker", rules=scoring_text(Webhook()))
    others_score(scored)
    scored.job("j1")
    row = question(scored)
    scored.policy_of("distribution", "p9", mode="longestIdle", expires_ms=1)
    scored.queue(distribution="other")
    assert scored.rank(row, ("w1", 1)) == "outdated"
    assert json.loads(question(scored)["rules"])["kind"] == "webhook"


@pytest.mark.parametrize("mode", ["longestIdle", "roundRobin", "bestWorker"])
def test_a_policy_that_asks_nobody_any_more_matches_at_once(scored: Router, mode: str) -> None:
    for n in range(5):
        scored.job(f"j{n}")
    row = question(scored, "j0")
    scored.policy(mode=mode, rules=scoring_text(Equal()) if mode == "bestWorker" else "")
    assert (scored.offered("j0"), scored.offered("j1"), scored.offered("j2")) == (["w1"], ["w2"], ["w3"])
    assert (tasks(scored), scored.offered("j3")) == ([], NOBODY)
    assert scored.rank(row, ("w2", 1)) == "outdated"


def test_a_changed_policy_reaches_its_questions_batch_by_batch(scored: Router) -> None:
    scored.settings(batch=2)
    for n in range(6):
        scored.job(f"j{n}")
    rows = {row["task"]: row for row in scored.lease(lease_ms=1)}
    scored.policy()
    assert scored.rank(rows["score:j5"], ("w3", 1)) == "outdated"
    while scored.sweep()["more"]:
        pass
    assert (scored.offered("j0"), scored.offered("j1"), scored.offered("j2")) == (["w1"], ["w2"], ["w3"])
    assert (tasks(scored), scored.lease()) == ([], [])


def test_a_question_that_nobody_is_to_answer_any_more_is_not_leased(scored: Router) -> None:
    """The review of the changed policy has not come so far; the job is matched."""
    for n in range(6):
        scored.job(f"j{n}")
    scored.settings(batch=1)
    scored.policy()
    assert scored.lease() == []
    assert tasks(scored) == []
    while scored.sweep()["more"]:
        pass
    assert (scored.offered("j0"), scored.offered("j1"), scored.offered("j2")) == (["w1"], ["w2"], ["w3"])


def test_a_policy_that_asks_others_from_now_on(router: Router) -> None:
    router.worker("w1")
    for n in range(2):
        router.job(f"j{n}")
    others_score(router)
    assert (router.offered("j0"), router.offered("j1"), tasks(router)) == (["w1"], NOBODY, [])
    router.worker("w2")
    assert router.offered("j1") == ["w2"]


# ---- closed queues ---------------------------------------------------------------------------------------


def closed(router: Router) -> dict[str, float]:
    return dict(router.redis.zrange(f"{router.root}:closed", 0, -1, withscores=True))


@pytest.fixture
def crowded(scored: Router) -> Router:
    """Three questions of seven jobs may be open at a time, so the fourth job has closed the queue."""
    scored.settings(questions=3)
    for n in range(1, 8):
        scored.job(f"j{n}")
    assert asked(scored) == ["j1", "j2", "j3"]
    assert list(closed(scored)) == ["q"]
    return scored


def rank_first(router: Router, *workers: str) -> None:
    """Answers the first question that is open, when the last lease is over."""
    router.at(router.now + 1)
    router.rank(question(router, asked(router)[0]), *((worker, 1.0) for worker in workers))


def test_a_queue_closes_where_it_may_ask_no_more(crowded: Router) -> None:
    crowded.at(10)
    assert asked(crowded) == ["j1", "j2", "j3"]
    assert crowded.order() == [f"j{n}" for n in range(1, 8)]
    assert [crowded.offered(f"j{n}") for n in range(4, 8)] == [NOBODY] * 4


def test_it_goes_on_at_half_of_the_questions(crowded: Router) -> None:
    rank_first(crowded, "w1")
    crowded.at(10)
    assert asked(crowded) == ["j2", "j3"]
    rank_first(crowded, "w2")
    crowded.at(20)
    # w3 alone is left, so each next one in order gets it or waits, and the queue is open
    assert asked(crowded) == ["j3"]
    assert crowded.offered("j4") == ["w3"]
    assert closed(crowded) == {}
    rank_first(crowded, "w3")
    assert (crowded.offered("j3"), tasks(crowded)) == (NOBODY, [])


def test_it_asks_on_until_the_bound_is_met_again(crowded: Router) -> None:
    for worker in ("w4", "w5", "w6", "w7"):
        crowded.worker(worker)
    rank_first(crowded, "w1")
    rank_first(crowded, "w2")
    crowded.at(10)
    assert asked(crowded) == ["j3", "j4", "j5"]
    assert list(closed(crowded)) == ["q"]
    for worker in ("w3", "w4", "w5", "w6", "w7"):
        rank_first(crowded, worker)
        crowded.at(crowded.now + 10)
    assert [crowded.offered(f"j{n}") for n in range(1, 8)] == [[f"w{n}"] for n in range(1, 8)]
    assert (closed(crowded), tasks(crowded)) == ({}, [])


def test_a_freed_worker_is_not_offered_a_job_of_the_closed_part(crowded: Router) -> None:
    crowded.worker("w4")
    assert [crowded.offered(f"j{n}") for n in range(1, 8)] == [NOBODY] * 7


def test_a_freed_worker_is_offered_a_job_before_the_closed_part(crowded: Router) -> None:
    crowded.job("first", priority=9, selectors=[wants("a", "=", 1)])
    crowded.worker("w4", labels={"a": 1})
    assert crowded.offered("first") == ["w4"]


def test_a_job_that_arrives_before_the_closed_part_moves_its_beginning(crowded: Router) -> None:
    before = closed(crowded)["q"]
    crowded.job("first", priority=9)
    assert closed(crowded)["q"] < before
    for worker in ("w1", "w2"):
        rank_first(crowded, worker)
    crowded.at(10)
    assert crowded.offered("first") == ["w3"]


def test_jobs_of_other_queues_are_matched_as_ever(crowded: Router) -> None:
    crowded.policy("local")
    crowded.queue("q2", distribution="local")
    crowded.worker("w4", queues=["q", "q2"])
    crowded.job("other", queue="q2")
    assert crowded.offered("other") == ["w4"]
    crowded.worker("w5", queues=["q", "q2"])
    crowded.job("next", queue="q2")
    assert crowded.offered("next") == ["w5"]


def test_one_call_that_frees_several_workers_asks_no_more_than_may_be(router: Router) -> None:
    others_score(router, offers=2)
    router.settings(questions=4)
    for worker in ("w1", "w2"):
        router.worker(worker)
    router.job("taken")
    router.rank(question(router, "taken"), ("w1", 1), ("w2", 1))
    for n in range(1, 13):
        router.job(f"j{n}", priority=-5)
    assert asked(router) == []
    router.cancel("taken")
    assert asked(router) == [f"j{n}" for n in range(1, 5)]
    assert list(closed(router)) == ["q"]


def test_a_queue_may_close_at_every_job_of_a_policy_of_other_kind(crowded: Router) -> None:
    """From scoring by others to another mode: what waited is matched, in order."""
    crowded.policy()
    crowded.at(10)
    assert [crowded.offered(f"j{n}") for n in range(1, 5)] == [["w1"], ["w2"], ["w3"], NOBODY]
    assert (closed(crowded), tasks(crowded)) == ({}, [])
    others_score(crowded)
    crowded.worker("w4")
    assert crowded.offered("j4") == ["w4"]


def test_a_greater_bound_lets_a_closed_queue_go_on(crowded: Router) -> None:
    crowded.settings(questions=100)
    crowded.cancel("j1")
    crowded.at(10)
    assert asked(crowded) == [f"j{n}" for n in range(2, 8)]
    assert closed(crowded) == {}


def test_a_closed_queue_that_is_empty_can_be_deleted(crowded: Router) -> None:
    for n in range(1, 8):
        crowded.cancel(f"j{n}")
    for worker in ("w1", "w2", "w3"):
        crowded.worker(worker, queues=[])
    assert crowded.run(c.QueueDelete("q"))["outcome"] == "deleted"
    assert closed(crowded) == {}
    crowded.queue()
    crowded.worker("w1", queues=["q"])
    crowded.job("j1")
    assert crowded.offered("j1") == ["w1"]


@pytest.mark.parametrize(
    ("damage", "found"),
    [
        (("ZREM", "tasks", "score:j1"), "job j1 has or misses a task of scoring"),
        (("ZADD", "tasks", "1", "score:j5"), "job j5 has or misses a task of scoring"),
        (("ZREM", "queue.questions:q", "j1"), "job j1 is not among the questions of its queue"),
        (("ZADD", "queue.questions:q", "1", "j5"), "job j5 is not among the questions of its queue"),
        (
            ("ZADD", "queue.questions:q", "1", "gone"),
            "queue q has a question about job gone that it does not know",
        ),
        (("HSET", "job:j5", "scoring", "7"), "job j5 stands wrongly in its demand class"),
        (("ZREM", "closed", "q"), "the closed queues are counted wrongly"),
        (("ZADD", "closed", "1", "q2"), "the closed queues are counted wrongly"),
        (("DEL", "queue.questions:q"), "queue q is closed for ever"),
        (("ZADD", "agenda", "9999999999999", "open:q2"), "queue q2 is open but to be opened"),
    ],
)
def test_check_finds_damage(crowded: Router, damage: tuple[str, ...], found: str) -> None:
    crowded.queue("q2")
    ids = [*(f"job:j{n}" for n in range(1, 8)), "queue:q", "queue:q2"]
    assert crowded.run(c.Check(ids))["problems"] == []
    command, key, *arguments = damage
    crowded.redis.execute_command(command, f"{crowded.root}:{key}", *arguments)
    assert found in "\n".join(crowded.run(c.Check(ids))["problems"])


def test_a_queue_is_deleted_while_it_is_closed(crowded: Router) -> None:
    """The clock steps back and back, so that it is not opened before."""
    for worker in ("w1", "w2", "w3"):
        crowded.worker(worker, queues=["elsewhere"])
    crowded.at(10)
    for n in (4, 5, 6, 7, 1, 2, 3):
        crowded.cancel(f"j{n}")
        crowded.now -= 1
    assert list(closed(crowded)) == ["q"]
    assert crowded.run(c.QueueDelete("q"))["outcome"] == "deleted"
    assert closed(crowded) == {}
    crowded.at(20)


# ---- why -------------------------------------------------------------------------------------------------


def test_why_a_job_is_not_offered(crowded: Router) -> None:
    def codes(job: str) -> list[str]:
        rows = crowded.pair.store.run(c.JobExplain(job, "w1"), START)["rows"]
        return [row["code"] for row in rows if row["about"] != "change"]

    assert codes("j1") == ["being_scored"]
    assert codes("j5") == ["waits_for_scores"]
    assert crowded.run(c.RouterStatus())["questions"] == 3
