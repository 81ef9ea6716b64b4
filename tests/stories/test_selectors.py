"""Selectors: operators and types, expiry, expedite, bypass."""

from __future__ import annotations

from typing import Any

import pytest

from engine.model import Scalar, Selector, selectors
from tests.stories.router import START, Router, wants

MISSING = object()
VALUES: list[Any] = [MISSING, 5, 5.0, 6, -1, "5", "a", "b", "", True, False, 0, 1, "1"]


def kind(value: Any) -> type:
    """What kind of value it is to a selector: true is no number, 5 and 5.0 are."""
    return bool if isinstance(value, bool) else float if isinstance(value, int | float) else str


def expected(operator: str, label: Any, value: Any) -> bool:
    """The table of operators, as short as it can be said."""
    if value is None:
        return {"=": label is MISSING, "!=": label is not MISSING}.get(operator, False)
    same = label is not MISSING and kind(label) is kind(value)
    if operator in ("=", "!="):
        return (same and label == value) == (operator == "=")
    if not same or kind(label) is bool:
        return False
    order: dict[str, bool] = {
        "<": label < value,
        "<=": label <= value,
        ">": label > value,
        ">=": label >= value,
    }
    return order[operator]


@pytest.mark.parametrize("operator", ["=", "!=", "<", "<=", ">", ">="])
def test_operators_on_every_pair_of_types(router: Router, operator: str) -> None:
    """One worker for each label value; a job for each selector value goes to just those that fit."""
    router.policy(offers=100)
    for n, label in enumerate(VALUES):
        router.worker(f"w{n:02}", capacity=100, labels={} if label is MISSING else {"x": label})
    for m, value in enumerate([None, *VALUES[1:]]):
        router.job(f"j{m}", selectors=[wants("x", operator, value)])
        fitting = [f"w{n:02}" for n, label in enumerate(VALUES) if expected(operator, label, value)]
        assert sorted(router.offered(f"j{m}")) == fitting, value


@pytest.mark.parametrize("value", ['{"a":1}', "[1]"])
def test_selector_with_an_object_never_holds(router: Router, value: str) -> None:
    router.worker("w1", labels={"x": 1})
    for n, operator in enumerate(("=", "<", "<=", ">", ">=")):
        router.job(f"j{n}", selectors=[Selector("x", operator, value)])
        assert router.offered(f"j{n}") == []


def test_selectors_are_anded(router: Router) -> None:
    router.worker("w1", labels={"a": 1})
    router.worker("w2", labels={"a": 1, "b": 2})
    router.job("j1", selectors=[wants("a", "=", 1), wants("b", ">", 1)])
    assert router.offered("j1") == ["w2"]


@pytest.mark.parametrize(
    ("label", "value"),
    [("ä", "ä"), ('q"\\', 'q"\\'), ("tab\tand\nline", "tab\tand\nline"), ("", ""), ("é", "é")],
)
def test_selectors_on_odd_texts(router: Router, label: str, value: str) -> None:
    labels: dict[str, Scalar] = {label: value}
    router.worker("w1")
    router.worker("w2", labels=labels)
    router.job("j1", selectors=[wants(label, "=", value)])
    assert router.offered("j1") == ["w2"]


def test_selector_on_the_automatic_id(router: Router) -> None:
    router.policy(offers=3)
    for worker in ("w1", "w2", "w3"):
        router.worker(worker, capacity=9)
    router.job("j1", selectors=[wants("Id", "!=", "w2")])
    router.job("j2", selectors=[wants("Id", ">=", "w2")])
    router.job("j3", selectors=[wants("Id", "=", "w2"), wants("Id", "=", "w3")])
    router.job("j4", selectors=[wants("Id", "!=")])
    assert router.offered("j1") == ["w1", "w3"]
    assert sorted(router.offered("j2")) == ["w2", "w3"]
    assert router.offered("j3") == []
    assert len(router.offered("j4")) == 3


def test_bypass_skips_selectors_only(router: Router) -> None:
    router.policy(bypass=True, offers=5)
    router.worker("w1")
    router.worker("w2", channels={"chat": 1})
    router.worker("w3", queues=[])
    router.job("j1", selectors=[wants("x", "=", 1), wants("Id", "=", "w3")])
    assert router.offered("j1") == ["w1"]


# ---- expiry --------------------------------------------------------------------------------------


def test_selector_expiry_tells_and_matches_at_once(router: Router) -> None:
    router.worker("w1")
    router.at(1_000)
    router.job("j1", selectors=[wants("x", "=", 1, seconds=2.5), wants("y", "!=", 1)])
    router.at(3_499)
    assert router.offers("w1") == []
    router.events()
    router.at(3_500)
    expired, offered = router.events()
    assert expired["eventType"].endswith(".RouterJobWorkerSelectorsExpired")
    data = expired["data"]
    for name in ("requestedWorkerSelectorsExpired", "expiredRequestedWorkerSelectors"):
        (shown,) = data[name]
        assert (shown["key"], shown["state"], shown["ttlSeconds"]) == ("x", "expired", 2.5)
    assert data["attachedWorkerSelectorsExpired"] == []
    assert offered["data"]["workerId"] == "w1"
    assert len(selectors(router.read("j1").selectors)) == 2


def test_selectors_that_expire_together_are_told_together(router: Router) -> None:
    router.job("j1", selectors=[wants("x", "=", 1, seconds=2), wants("y", "=", 1, seconds=2.0)])
    router.events()
    router.at(2_000)
    (event,) = router.events()
    assert len(event["data"]["requestedWorkerSelectorsExpired"]) == 2


def test_selector_expiry_keeps_open_offers(router: Router) -> None:
    router.worker("w1", labels={"x": 1})
    router.job("j1", selectors=[wants("x", "=", 1, seconds=2)])
    router.told()
    router.at(2_000)
    assert (router.told(), router.offers("w1")) == (["JobWorkerSelectorsExpired j1"], ["j1"])


def test_selector_expiry_of_an_assigned_job_is_silent(router: Router) -> None:
    router.worker("w1")
    router.job("j1", selectors=[wants("x", "!=", 1, seconds=2)])
    router.accept("w1", "j1")
    router.told()
    router.at(3_000)
    assert router.told() == []
    router.unassign("j1")
    assert router.told() == [
        "JobUnassigned j1",
        "JobQueued j1",
        "JobWorkerSelectorsExpired j1",
        "OfferIssued w1 j1",
    ]


def test_selector_clock_starts_with_the_enqueue(router: Router) -> None:
    router.worker("w1")
    router.job("j1", mode="suspend", selectors=[wants("x", "=", 1, seconds=2)])
    router.at(10_000)
    router.job("j1", mode="queueAndMatch")
    router.at(11_999)
    assert router.offers("w1") == []
    router.at(12_000)
    assert router.offers("w1") == ["j1"]


def test_selector_added_later_starts_then_and_equal_ones_keep_their_start(router: Router) -> None:
    router.job("j1", selectors=[wants("x", "=", 1, seconds=10)])
    router.at(4_000)
    router.job("j1", selectors=[wants("x", "=", 1, seconds=10), wants("y", "=", 1, seconds=10)])
    old, new = selectors(router.read("j1").selectors)
    enqueued = router.read("j1").enqueued_at
    assert (old.expires_at(enqueued), new.expires_at(enqueued)) == (START + 10_000, START + 14_000)
    router.told()
    router.at(10_000)
    router.at(14_000)
    assert router.told() == ["JobWorkerSelectorsExpired j1", "JobWorkerSelectorsExpired j1"]


def test_selector_clock_restarts_with_a_new_life(router: Router) -> None:
    router.job("j1", selectors=[wants("x", "=", 1, seconds=10)])
    router.cancel("j1")
    router.at(8_000)
    router.job("j1")
    router.told()
    router.at(17_999)
    assert router.told() == []
    router.at(18_000)
    assert router.told() == ["JobWorkerSelectorsExpired j1"]


def test_selector_of_zero_seconds_has_expired_at_once(router: Router) -> None:
    router.worker("w1")
    router.told()
    router.job("j1", selectors=[wants("x", "=", 1, seconds=0)])
    assert router.told()[-2:] == ["JobWorkerSelectorsExpired j1", "OfferIssued w1 j1"]


# ---- expedite ------------------------------------------------------------------------------------


def test_expedite_jumps_the_queue_until_it_expires(router: Router) -> None:
    router.job("j1", priority=100)
    router.job("j2", priority=-100, selectors=[wants("x", "=", 1, seconds=45, expedite=True)])
    router.job("j3")
    assert router.order() == ["j2", "j1", "j3"]
    assert router.position("j2")["position"] == 1
    router.at(45_000)
    assert router.order() == ["j1", "j3", "j2"]
    assert "JobWorkerSelectorsExpired j2" in router.told()


def test_expedited_jobs_among_themselves(router: Router) -> None:
    router.job("j1", selectors=[wants("x", "=", 1, expedite=True)], priority=-100)
    router.job("j2", selectors=[wants("x", "=", 1, expedite=True)], priority=100)
    router.job("j3", selectors=[wants("x", "=", 1, expedite=True)], priority=-100)
    router.job("j4", priority=100)
    assert router.order() == ["j2", "j1", "j3", "j4"]


def test_preferred_worker_then_anybody(router: Router) -> None:
    router.worker("w1")
    router.worker("w2")
    router.job("j0", selectors=[wants("Id", "=", "w2")])
    router.job("j1", selectors=[wants("Id", "=", "w2", seconds=45, expedite=True)])
    assert (router.offers("w1"), router.offers("w2")) == ([], ["j0"])
    router.at(45_000)
    assert router.offers("w1") == ["j1"]
