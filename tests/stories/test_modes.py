"""Distribution modes: the worked examples of the documentation, ties, and the order of queues."""

from __future__ import annotations

import pytest

from engine.model import Scalar, Selector
from engine.scoring import Equal, by_expression, scoring_text
from tests.stories.router import Router, wants


def issued(router: Router, job_id: str, count: int) -> list[str]:
    """The first workers to whom a job is offered when it may have this many offers."""
    offered = router.offered(job_id)
    assert len(offered) == count
    return offered


# ---- longest idle --------------------------------------------------------------------------------


def test_longest_idle_orders_by_load_then_by_time(router: Router) -> None:
    """A 3/5 available for 5 minutes, B 3/4 for 3, C 3/5 for 7, D 0/3 for 2: D, C, A, B."""
    router.queue("busy")
    for worker, capacity in (("C", 5), ("A", 5), ("B", 4), ("D", 3)):
        router.worker(worker, capacity=capacity, channels={"voice": 1, "chat": 3}, queues=["busy"])
    for worker in ("A", "B", "C"):
        router.job(f"load {worker}", queue="busy", channel="chat", selectors=[wants("Id", "=", worker)])
        router.accept(worker, f"load {worker}")
    router.policy(offers=4)
    router.job("j1", queue="busy")
    assert issued(router, "j1", 4) == ["D", "C", "A", "B"]


def test_longest_idle_first_registered_wins(router: Router) -> None:
    router.worker("w2")
    router.worker("w1")
    router.job("j1")
    assert router.offered("j1") == ["w2"]


def test_longest_idle_counts_offers_as_load(router: Router) -> None:
    router.worker("w1", capacity=2)
    router.worker("w2", capacity=2)
    for n in range(4):
        router.job(f"j{n}")
    assert [router.offered(f"j{n}") for n in range(4)] == [["w1"], ["w2"], ["w1"], ["w2"]]


def test_longest_idle_levels_make_nearly_equal_loads_equal(router: Router) -> None:
    """1/16382 and 1/20000 are both level 0: the longer available goes first, though its ratio is greater."""
    router.worker("w1", capacity=16_383)
    router.worker("w2", capacity=20_000)
    for n in range(3):
        router.job(f"j{n}")
    assert [router.offered(f"j{n}") for n in range(3)] == [["w1"], ["w1"], ["w1"]]


def test_longest_idle_level_boundary(router: Router) -> None:
    """1/8192 is level 0 and 1/8191 is level 1."""
    router.worker("w1", capacity=8_191)
    router.worker("w2", capacity=8_192)
    for n in range(4):
        router.job(f"j{n}")
    assert [router.offered(f"j{n}") for n in range(4)] == [["w1"], ["w2"], ["w2"], ["w1"]]


# ---- round robin ---------------------------------------------------------------------------------


def test_round_robin_two_jobs_two_workers(router: Router) -> None:
    router.policy(mode="roundRobin")
    router.worker("w2", capacity=5)
    router.worker("w1", capacity=5)
    for n in range(5):
        router.job(f"j{n}")
    assert [router.offered(f"j{n}") for n in range(5)] == [["w1"], ["w2"], ["w1"], ["w2"], ["w1"]]


def test_round_robin_skips_and_goes_around(router: Router) -> None:
    router.policy(mode="roundRobin")
    for worker in ("a", "b", "c"):
        router.worker(worker, capacity=5, labels={"x": worker})
    router.job("j1")
    router.job("j2", selectors=[wants("x", "=", "c")])
    router.job("j3")
    router.worker("b", available=False)
    router.job("j4")
    assert [router.offered(f"j{n}") for n in range(1, 5)] == [["a"], ["c"], ["a"], ["c"]]


def test_round_robin_has_a_cursor_for_each_queue(router: Router) -> None:
    router.policy(mode="roundRobin")
    router.queue("q2")
    for worker in ("a", "b"):
        router.worker(worker, capacity=5, queues=["q", "q2"])
    router.job("j1")
    router.job("j2", queue="q2")
    router.job("j3", queue="q2")
    assert [router.offered(f"j{n}") for n in range(1, 4)] == [["a"], ["a"], ["b"]]


def test_round_robin_orders_ids_by_bytes(router: Router) -> None:
    router.policy(mode="roundRobin", offers=5)
    for worker in ("é", "b", "B", "a", "b:1"):
        router.worker(worker)
    router.job("j1")
    assert router.offered("j1") == ["B", "a", "b", "b:1", "é"]


def test_policy_change_to_round_robin_serves_waiting_jobs(router: Router) -> None:
    for worker in ("b", "a"):
        router.worker(worker, capacity=2)
    router.job("j1")
    router.policy(mode="roundRobin")
    router.job("j2")
    router.job("j3")
    assert [router.offered(f"j{n}") for n in (1, 2, 3)] == [["b"], ["a"], ["b"]]
    router.policy(mode="longestIdle")
    router.accept("b", "j1")
    router.job("j4")
    assert router.offered("j4") == ["a"]


# ---- best worker ---------------------------------------------------------------------------------


def ranking(
    router: Router,
    workers: dict[str, dict[str, Scalar]],
    labels: dict[str, Scalar],
    selectors: list[Selector],
    **policy: object,
) -> list[str]:
    """The order in which a job is offered to workers with these labels."""
    router.policy(mode="bestWorker", offers=len(workers), **policy)  # type: ignore[arg-type]
    for worker, known in workers.items():
        router.worker(worker, labels=known)
    router.job("j1", labels=labels, selectors=selectors)
    return router.offered("j1")


def test_best_worker_by_job_labels(router: Router) -> None:
    """A fits both labels, B and C one each."""
    workers: dict[str, dict[str, Scalar]] = {
        "C": {"language": "english", "department": "support"},
        "B": {"language": "french", "department": "sales"},
        "A": {"language": "english", "department": "sales"},
    }
    order = ranking(router, workers, {"language": "english", "department": "sales"}, [])
    assert order == ["A", "C", "B"]


def test_best_worker_by_equality_selectors(router: Router) -> None:
    """D 0.5 and F 0.5, E 1: a missing label is as good as another value for notEqual."""
    workers: dict[str, dict[str, Scalar]] = {
        "D": {"department": "billing", "segment": "vip"},
        "F": {"department": "sales", "segment": "new"},
        "E": {"department": "billing"},
    }
    selectors = [wants("department", "=", "billing"), wants("segment", "!=", "vip")]
    assert ranking(router, workers, {}, selectors, bypass=True) == ["E", "D", "F"]


def test_best_worker_filters_unless_bypassed(router: Router) -> None:
    workers: dict[str, dict[str, Scalar]] = {
        "D": {"department": "billing", "segment": "vip"},
        "E": {"department": "billing"},
    }
    selectors = [wants("department", "=", "billing"), wants("segment", "!=", "vip")]
    assert ranking(router, workers, {}, selectors) == ["E"]


def test_best_worker_by_magnitudes(router: Router) -> None:
    """G 0.6667, H 0.7075, I 0.6750: H, I, G."""
    workers: dict[str, dict[str, Scalar]] = {
        "G": {"language": "french", "sales": 10, "cost": 10},
        "H": {"language": "french", "sales": 15, "cost": 10},
        "I": {"language": "french", "sales": 10, "cost": 9},
    }
    selectors = [wants("language", "=", "french"), wants("sales", ">=", 10), wants("cost", "<=", 10)]
    assert ranking(router, workers, {}, selectors) == ["H", "I", "G"]


def test_best_worker_by_magnitudes_ascending(router: Router) -> None:
    workers: dict[str, dict[str, Scalar]] = {"G": {"sales": 10}, "H": {"sales": 15}, "I": {"sales": 12}}
    assert ranking(router, workers, {}, [wants("sales", ">=", 10)], descending=False) == ["G", "I", "H"]


def test_best_worker_with_a_selector_of_zero(router: Router) -> None:
    workers: dict[str, dict[str, Scalar]] = {"w1": {"x": 1}, "w20": {"x": 20}, "w10": {"x": 10}}
    assert ranking(router, workers, {}, [wants("x", ">=", 0)]) == ["w20", "w10", "w1"]


def test_best_worker_with_a_negative_selector(router: Router) -> None:
    workers: dict[str, dict[str, Scalar]] = {"a": {"x": -4}, "b": {"x": 0}, "c": {"x": -2}}
    assert ranking(router, workers, {}, [wants("x", ">", -5)]) == ["b", "c", "a"]


def test_best_worker_compares_raw_distances_where_scores_are_equal(router: Router) -> None:
    """Beyond about 36 the logistic function is 1 in doubles."""
    workers: dict[str, dict[str, Scalar]] = {"a": {"x": 100}, "b": {"x": 300}, "c": {"x": 200}}
    assert ranking(router, workers, {}, [wants("x", ">", 1)]) == ["b", "c", "a"]


def test_best_worker_ties_go_to_the_longest_available(router: Router) -> None:
    workers: dict[str, dict[str, Scalar]] = {"b": {"x": 1}, "a": {"x": 1}, "c": {"y": 1}}
    assert ranking(router, workers, {}, []) == ["b", "a", "c"]


def test_best_worker_ignores_load(router: Router) -> None:
    router.policy(mode="bestWorker")
    router.worker("w1", capacity=3, labels={"x": 1})
    router.worker("w2", capacity=3)
    for n in range(4):
        router.job(f"j{n}", labels={"x": 1})
    assert [router.offered(f"j{n}") for n in range(4)] == [["w1"], ["w1"], ["w1"], ["w2"]]


def test_best_worker_types_count(router: Router) -> None:
    workers: dict[str, dict[str, Scalar]] = {
        "a": {"x": True},
        "b": {"x": "1"},
        "c": {"x": 1},
        "d": {"x": 1.0},
    }
    assert ranking(router, workers, {"x": 1}, []) == ["c", "d", "a", "b"]


def test_best_worker_sees_the_automatic_id(router: Router) -> None:
    workers: dict[str, dict[str, Scalar]] = {"a": {}, "b": {}, "c": {}}
    assert ranking(router, workers, {"Id": "c"}, []) == ["c", "a", "b"]


def test_best_worker_with_expired_selectors_scores_without_them(router: Router) -> None:
    router.policy(mode="bestWorker")
    router.job("j1", labels={"y": 1}, selectors=[wants("x", ">=", 1, seconds=5)])
    router.at(5_000)
    router.worker("w1", queues=[], labels={"x": 9})
    router.worker("w2", queues=[], labels={"y": 1})
    router.worker("w3", available=False)
    router.worker("w1", queues=["q"])
    assert router.offered("j1") == ["w1"]
    router.decline("w1", "j1")
    router.worker("w2", queues=["q"])
    assert router.offered("j1") == ["w2"]


# ---- best worker by a scoring rule ---------------------------------------------------------------


def by(source: str, *, job_labels: bool = True) -> str:
    """Workers are scored by this expression."""
    return scoring_text(by_expression(source, job_labels=job_labels))


def test_a_scoring_rule_decides_who_is_best(router: Router) -> None:
    """The documented example: who handles escalations scores 100, the others 1."""
    workers: dict[str, dict[str, Scalar]] = {
        "w1": {},
        "w2": {"HandleEscalation": True},
        "w3": {"HandleEscalation": False},
    }
    order = ranking(router, workers, {}, [], rules=by("If(worker.HandleEscalation = true, 100, 1)"))
    assert order == ["w2", "w1", "w3"]


def test_a_scoring_rule_in_ascending_order(router: Router) -> None:
    workers: dict[str, dict[str, Scalar]] = {"a": {"cost": 3}, "b": {"cost": -1.5}, "c": {"cost": 2}}
    assert ranking(router, workers, {}, [], rules=by("worker.cost"), descending=False) == ["b", "c", "a"]


@pytest.mark.parametrize("descending", [True, False])
def test_workers_without_a_score_come_last_in_either_order(router: Router, descending: bool) -> None:
    """A failure, a text and a blank are no scores; among such workers the longest available is first."""
    workers: dict[str, dict[str, Scalar]] = {
        "failed": {"x": 0},
        "text": {"x": 1, "text": "9"},
        "blank": {"x": 1, "blank": True},
        "two": {"x": 0.5},
        "one": {"x": 1},
    }
    rule = by("If(worker.blank, Blank(), IsBlank(worker.text), 1 / worker.x, worker.text)")
    order = ranking(router, workers, {}, [], rules=rule, descending=descending)
    scored = ["two", "one"] if descending else ["one", "two"]
    assert order == [*scored, "failed", "text", "blank"]


def test_a_condition_is_no_score(router: Router) -> None:
    workers: dict[str, dict[str, Scalar]] = {"a": {"x": 1}, "b": {"x": 2}}
    assert ranking(router, workers, {}, [], rules=by("worker.x = 2")) == ["a", "b"]


def test_a_scoring_rule_sees_the_job(router: Router) -> None:
    """Each job has its own ranking; what the rule does not read of a job makes no difference."""
    router.policy(mode="bestWorker", rules=by("If(worker.site = job.site, 1, 0)"))
    for site in ("x", "y", "z"):
        router.worker(site, labels={"site": site}, capacity=9)
    for n, site in enumerate(("y", "z", "x", "nowhere")):
        router.job(f"j{n}", labels={"site": site, "n": n})
    assert [router.offered(f"j{n}") for n in range(4)] == [["y"], ["z"], ["x"], ["x"]]


def test_a_scoring_rule_tells_the_types_of_labels_apart(router: Router) -> None:
    router.policy(mode="bestWorker", rules=by("If(worker.x = job.x, 1, 0)"))
    values: list[Scalar] = [1, "1", True, "true", "1\n2"]
    for n, value in enumerate(values):
        router.worker(f"w{n}", labels={"x": value}, capacity=9)
    for n, value in enumerate(values):
        router.job(f"j{n}", labels={"x": value})
    assert [router.offered(f"j{n}") for n in range(5)] == [[f"w{n}"] for n in range(5)]


def test_a_scoring_rule_that_may_not_see_the_job(router: Router) -> None:
    """Without jobLabels among its parameters all labels of the job are blank to it."""
    router.policy(mode="bestWorker", rules=by("If(worker.site = job.site, 1, 0)", job_labels=False))
    router.worker("w1", labels={"site": "x"})
    router.worker("w2")
    router.job("j1", labels={"site": "x"})
    assert router.offered("j1") == ["w2"]


def test_a_scoring_rule_sees_no_queue(router: Router) -> None:
    router.queue(labels={"site": "x"})
    workers: dict[str, dict[str, Scalar]] = {"w1": {"site": "x"}, "w2": {}}
    assert ranking(router, workers, {}, [], rules=by("If(worker.site = queue.site, 1, 0)")) == ["w2", "w1"]


def test_a_scoring_rule_sees_the_automatic_id(router: Router) -> None:
    workers: dict[str, dict[str, Scalar]] = {"w1": {}, "w2": {}, "w3": {"x": 1}}
    rule = by('If(worker.Id = "w2", 5, worker.x)')
    assert ranking(router, workers, {}, [], rules=rule) == ["w2", "w3", "w1"]


def test_a_scoring_rule_goes_through_the_workers_that_fit(router: Router) -> None:
    workers: dict[str, dict[str, Scalar]] = {"a": {"x": 1}, "b": {"x": 2}, "c": {"y": 1, "x": 9}}
    assert ranking(router, workers, {}, [wants("y", "=", None)], rules=by("worker.x")) == ["b", "a"]


def test_one_score_for_all_makes_the_longest_available_the_best(router: Router) -> None:
    workers: dict[str, dict[str, Scalar]] = {"b": {}, "a": {"x": 1}, "c": {"x": 2}}
    assert ranking(router, workers, {"x": 2}, [], rules=scoring_text(Equal())) == ["b", "a", "c"]


def test_a_scoring_rule_does_not_touch_an_exception_policy_of_its_name(router: Router) -> None:
    router.settings(batch=1)
    router.policy_of("exception", "same")
    router.queue(exception="same")
    router.job("j1")
    router.policy("same", mode="bestWorker", rules=by("worker.x"))
    assert router.next_due() == 90 * 86_400_000


def test_another_scoring_rule_acts_at_once(router: Router) -> None:
    router.policy(mode="bestWorker", rules=by("worker.x"))
    for n in range(5):
        router.worker(f"w{n}", labels={"x": n})
    router.job("j1")
    router.policy(mode="bestWorker", rules=by("-worker.x"))
    router.job("j2")
    router.policy(mode="bestWorker")
    router.job("j3", labels={"x": 2})
    router.policy(mode="bestWorker", rules=scoring_text(Equal()))
    router.job("j4")
    router.policy(mode="bestWorker", rules=by("worker.x"), offers=2)
    assert [router.offered(f"j{n}") for n in range(1, 5)] == [["w4", "w3"], ["w0"], ["w2"], ["w1"]]


# ---- several offers ------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["longestIdle", "roundRobin", "bestWorker"])
def test_policy_fills_towards_its_maximum(router: Router, mode: str) -> None:
    router.policy(mode=mode, min_offers=1, offers=2)
    for worker in ("w1", "w2", "w3"):
        router.worker(worker)
    router.job("j1")
    assert router.offered("j1") == ["w1", "w2"]
    router.decline("w1", "j1")
    assert router.offered("j1") == ["w2", "w3"]


def test_policy_change_reaches_waiting_jobs_batch_by_batch(router: Router) -> None:
    router.settings(batch=2)
    for n in range(5):
        router.job(f"j{n}")
    for n in range(10):
        router.worker(f"w{n}")
    router.policy(offers=2)
    offers = [len(router.offered(f"j{n}")) for n in range(5)]
    # two jobs are looked at, and a call makes one offer
    assert offers == [2, 1, 1, 1, 1]
    while router.sweep()["more"]:
        pass
    assert [len(router.offered(f"j{n}")) for n in range(5)] == [2, 2, 2, 2, 2]


def test_policy_change_keeps_open_offers(router: Router) -> None:
    router.policy(offers=3)
    for worker in ("w1", "w2", "w3"):
        router.worker(worker)
    router.job("j1")
    router.told()
    router.policy(offers=1)
    assert (router.told(), router.offered("j1")) == ([], ["w1", "w2", "w3"])


def test_queue_change_of_policy_serves_waiting_jobs(router: Router) -> None:
    router.policy("open", bypass=True)
    router.worker("w1")
    router.job("j1", selectors=[wants("x", "=", 1)])
    assert router.offered("j1") == []
    router.queue(distribution="open")
    assert router.offered("j1") == ["w1"]


# ---- the order of jobs ---------------------------------------------------------------------------


def test_one_rule_over_all_queues(router: Router) -> None:
    """A worker on several queues takes the first job by expedite, priority and number, whatever its queue."""
    router.queue("q2")
    router.job("j1")
    router.job("j2", queue="q2", priority=5)
    router.job("j3", queue="q2", selectors=[wants("x", "!=", 1, expedite=True)])
    router.job("j4", priority=5)
    router.worker("w1", queues=["q", "q2"], capacity=4)
    assert router.offers("w1") == ["j3", "j2", "j4", "j1"]


def test_jobs_that_nobody_can_take_block_nothing(router: Router) -> None:
    router.job("j1", selectors=[wants("x", "=", 1)], priority=100)
    router.job("j2", channel="other", priority=100)
    router.job("j3")
    router.worker("w1", capacity=5)
    assert router.offers("w1") == ["j3"]


def test_several_workers_freed_at_once_follow_the_rule(router: Router) -> None:
    """Offers of one job are revoked together: the first waiting job takes the best of the freed workers."""
    router.policy(offers=2)
    router.worker("w1", labels={"x": 1})
    router.worker("w2")
    router.job("j1")
    router.policy("one")
    router.queue("q2", distribution="one")
    router.worker("w1", queues=["q", "q2"])
    router.worker("w2", queues=["q", "q2"])
    router.job("j2", queue="q2")
    router.job("j3", queue="q2", priority=9, selectors=[wants("x", "=", 1)])
    router.cancel("j1")
    assert (router.offers("w1"), router.offers("w2")) == (["j3"], ["j2"])
