"""Workers: registration, capacity, and what their updates revoke."""

from __future__ import annotations

import pytest

from engine import commands as c
from engine.model import members
from tests.stories.router import Router, wants

DAY = 86_400_000


# ---- registration --------------------------------------------------------------------------------


def test_worker_create_unavailable_is_inactive(router: Router) -> None:
    assert router.worker("w1", available=False)["state"] == "inactive"
    assert router.told() == []


def test_worker_create_available_is_active_and_registered(router: Router) -> None:
    router.job("j1")
    router.told()
    assert router.worker("w1")["state"] == "active"
    assert router.told() == ["WorkerRegistered w1", "OfferIssued w1 j1"]


def test_worker_update_registers(router: Router) -> None:
    router.worker("w1", available=False)
    assert router.worker("w1", available=True)["state"] == "active"
    assert router.told() == ["WorkerUpdated w1", "WorkerRegistered w1"]


def test_worker_update_deregisters_an_idle_worker(router: Router) -> None:
    router.worker("w1", capacity=2)
    router.job("j1")
    router.job("j2")
    router.told()
    assert router.worker("w1", available=False)["state"] == "inactive"
    told = router.told()
    assert told[:3] == ["OfferRevoked w1 j1", "OfferRevoked w1 j2", "WorkerDeregistered w1"]
    assert router.load("w1") == 0


def test_worker_update_drains_a_busy_worker(router: Router) -> None:
    router.worker("w1", capacity=2)
    router.job("j1")
    router.accept("w1", "j1")
    router.job("j2")
    assert router.worker("w1", available=False)["state"] == "draining"
    assert router.offers("w1") == []
    router.told()
    assert router.worker("w1", available=True)["state"] == "active"
    assert "WorkerRegistered w1" in router.told()
    assert router.offers("w1") == ["j2"]


@pytest.mark.parametrize("end", ["close", "unassign", "cancel"])
def test_draining_ends_with_the_last_assignment(router: Router, end: str) -> None:
    router.worker("w1")
    router.job("j1")
    router.accept("w1", "j1")
    if end == "close":
        router.complete("j1")
    router.worker("w1", available=False)
    router.told()
    getattr(router, end)("j1")
    assert router.state("w1") == "inactive"
    assert not any("Worker" in kind for kind in router.told())


def test_worker_idle_for_a_week_is_deregistered(router: Router) -> None:
    router.worker("w1")
    router.at(7 * DAY - 1)
    assert router.state("w1") == "active"
    router.told()
    router.at(7 * DAY)
    worker = router.read_worker("w1")
    assert (worker.state, worker.available) == ("inactive", False)
    assert router.told() == ["WorkerDeregistered w1"]


def test_worker_with_an_assignment_is_not_idle(router: Router) -> None:
    router.worker("w1")
    router.job("j1")
    router.at(1_000)
    router.accept("w1", "j1")
    router.at(8 * DAY)
    assert router.state("w1") == "active"
    router.complete("j1")
    router.close("j1")
    router.at(15 * DAY - 1)
    assert router.state("w1") == "active"
    router.at(15 * DAY)
    assert router.state("w1") == "inactive"


def test_worker_with_a_declined_offer_counts_from_it(router: Router) -> None:
    router.worker("w1")
    router.at(1 * DAY)
    router.job("j1")
    router.decline("w1", "j1")
    router.at(8 * DAY - 1)
    assert router.state("w1") == "active"
    router.at(8 * DAY)
    assert router.state("w1") == "inactive"


def test_worker_delete_revokes_and_is_repeatable(router: Router) -> None:
    router.worker("w1")
    router.job("j1")
    router.told()
    assert router.run(c.WorkerDelete("w1"))["outcome"] == "deleted"
    assert router.told() == ["OfferRevoked w1 j1", "WorkerDeleted w1"]
    assert router.run(c.WorkerDelete("w1"))["outcome"] == "absent"
    with router.refuses("NOT_FOUND"):
        router.state("w1")


def test_worker_delete_with_an_assignment_is_refused(router: Router) -> None:
    router.worker("w1")
    router.job("j1")
    router.accept("w1", "j1")
    with router.refuses("IN_USE", "assignments"):
        router.run(c.WorkerDelete("w1"))
    router.complete("j1")
    with router.refuses("IN_USE", "assignments"):
        router.run(c.WorkerDelete("w1"))
    router.close("j1")
    assert router.run(c.WorkerDelete("w1"))["outcome"] == "deleted"


# ---- capacity ------------------------------------------------------------------------------------


def test_capacity_one_voice_or_five_chats_never_mixed(router: Router) -> None:
    router.worker("w1", capacity=100, channels={"voice": 100, "chat": 20})
    for n in range(6):
        router.job(f"c{n}", channel="chat")
    router.job("v1")
    assert len(router.offers("w1")) == 5
    assert router.load("w1") == 1
    for n in range(6):
        router.cancel(f"c{n}")
    assert router.offers("w1") == ["v1"]


def test_capacity_always_has_room_for_one_voice(router: Router) -> None:
    router.worker("w1", capacity=100, channels={"voice": 60, "chat": (10, 2), "email": (10, 2)})
    for n in range(3):
        router.job(f"c{n}", channel="chat")
        router.job(f"e{n}", channel="email")
    router.job("v1")
    router.job("v2")
    assert sorted(router.offers("w1")) == ["c0", "c1", "e0", "e1", "v1"]


def test_capacity_zero_and_cost_zero(router: Router) -> None:
    router.worker("w1", capacity=0, channels={"voice": 1, "chat": 0})
    router.job("v1")
    router.job("c1", channel="chat")
    router.job("c2", channel="chat")
    assert router.offers("w1") == ["c1", "c2"]
    assert router.load("w1") == 0


def test_maximum_of_a_channel_counts_offers_and_assignments(router: Router) -> None:
    router.worker("w1", capacity=9, channels={"voice": (1, 2)})
    for n in (1, 2, 3):
        router.job(f"j{n}")
    assert router.offers("w1") == ["j1", "j2"]
    router.accept("w1", "j1")
    assert router.offers("w1") == ["j2"]
    router.complete("j1")
    assert router.offers("w1") == ["j2"]
    router.close("j1")
    assert router.offers("w1") == ["j2", "j3"]


def test_worker_without_queues_or_channels_is_valid(router: Router) -> None:
    router.job("j1")
    router.worker("w1", queues=[], channels={})
    router.worker("w2", queues=[], channels={"voice": 1})
    router.worker("w3", queues=["q"], channels={})
    router.worker("w4", queues=["nowhere"], max_offers=1)
    assert router.offered("j1") == []
    router.worker("w2", queues=["q"])
    assert router.offered("j1") == ["w2"]


def test_capacity_above_the_levels_still_counts_exactly(router: Router) -> None:
    router.worker("w1", capacity=20_000, channels={"voice": 19_999, "chat": 1})
    router.job("v1")
    router.job("c1", channel="chat")
    router.job("c2", channel="chat")
    assert router.offers("w1") == ["v1", "c1"]


# ---- updates -------------------------------------------------------------------------------------


def test_worker_update_of_labels_revokes_all(router: Router) -> None:
    router.worker("w1", capacity=2, labels={"a": 1})
    router.job("j1")
    router.job("j2")
    router.told()
    router.worker("w1", labels={"a": 2})
    assert router.told() == [
        "WorkerUpdated w1",
        "OfferRevoked w1 j1",
        "OfferRevoked w1 j2",
        "OfferIssued w1 j1",
        "OfferIssued w1 j2",
    ]


def test_worker_update_with_equal_labels_revokes_nothing(router: Router) -> None:
    router.worker("w1", labels={"a": 1})
    router.job("j1")
    router.told()
    router.worker("w1", labels={"a": 1})
    assert (router.told(), router.offers("w1")) == ([], ["j1"])


def test_worker_update_of_tags_only_tells(router: Router) -> None:
    router.worker("w1")
    router.job("j1")
    router.told()
    router.worker("w1", tags={"a": 1})
    (event,) = router.events()
    assert event["data"]["updatedWorkerProperties"] == ["Tags"]
    assert members(router.read_worker("w1").tags) == {"a": 1}
    assert router.offers("w1") == ["j1"]


def test_worker_update_tells_what_has_changed(router: Router) -> None:
    router.worker("w1", capacity=0)
    router.told()
    router.worker(
        "w1", available=False, capacity=3, queues=["q", "x"], labels={"a": 1}, tags={"b": 2}, channels={}
    )
    events = {event["eventType"].rsplit(".")[-1]: event["data"] for event in router.events()}
    assert events["RouterWorkerUpdated"]["updatedWorkerProperties"] == [
        "AvailableForOffers",
        "TotalCapacity",
        "QueueAssignments",
        "Labels",
        "Tags",
        "ChannelConfigurations",
    ]


def test_worker_update_of_queues_revokes_those_of_lost_ones(router: Router) -> None:
    router.queue("q2")
    router.worker("w1", capacity=2, queues=["q", "q2"])
    router.job("j1")
    router.job("j2", queue="q2")
    router.worker("w1", queues=["q2", "q3"])
    assert router.offers("w1") == ["j2"]


def test_worker_update_of_capacity_revokes_the_newest(router: Router) -> None:
    router.worker("w1", capacity=3)
    for n in (1, 2, 3):
        router.at(n)
        router.job(f"j{n}")
    router.told()
    router.worker("w1", capacity=1)
    assert router.told() == ["WorkerUpdated w1", "OfferRevoked w1 j3", "OfferRevoked w1 j2"]
    assert router.offers("w1") == ["j1"]


def test_worker_update_never_touches_assignments(router: Router) -> None:
    router.worker("w1", capacity=2)
    router.job("j1")
    router.job("j2")
    router.accept("w1", "j1")
    router.accept("w1", "j2")
    router.worker("w1", capacity=1, queues=[], labels={"a": 1})
    assert router.load("w1") == 2
    assert router.status("j1") == "assigned"


def test_worker_update_of_channels_revokes_those_that_changed(router: Router) -> None:
    router.worker("w1", capacity=9, channels={"voice": 1, "chat": 1, "mail": 1})
    router.job("v1")
    router.job("c1", channel="chat")
    router.job("m1", channel="mail")
    router.told()
    router.worker("w1", channels={"voice": 1, "chat": 2})
    assert sorted(router.told()) == [
        "OfferIssued w1 c1",
        "OfferRevoked w1 c1",
        "OfferRevoked w1 m1",
        "WorkerUpdated w1",
    ]
    assert sorted(router.offers("w1")) == ["c1", "v1"]


def test_worker_update_of_the_offer_limit_keeps_open_offers(router: Router) -> None:
    router.worker("w1", capacity=3)
    for n in (1, 2):
        router.job(f"j{n}")
    router.told()
    router.worker("w1", max_offers=1)
    assert (router.told(), router.offers("w1")) == ([], ["j1", "j2"])
    router.job("j3")
    assert router.offers("w1") == ["j1", "j2"]
    router.worker("w1", max_offers=0)
    assert router.offers("w1") == ["j1", "j2", "j3"]


def test_worker_update_with_a_stale_counter_is_refused(router: Router) -> None:
    router.worker("w1")
    router.worker("w1", tags={"a": 1})
    with router.refuses("CHANGED"):
        router.run(c.WorkerUpsert(id="w1", doc=1))
    with router.refuses("CHANGED"):
        router.run(c.WorkerUpsert(id="w2", doc=1))
    assert router.run(c.WorkerUpsert(id="w1"))["outcome"] == "exists"


# ---- availability --------------------------------------------------------------------------------


def test_available_since_is_renewed_by_the_end_of_an_assignment(router: Router) -> None:
    router.worker("w1")
    router.worker("w2")
    router.job("j1")
    router.serve("w1", "j1")
    router.job("j2")
    assert router.offered("j2") == ["w2"]


def test_available_since_is_kept_by_a_decline(router: Router) -> None:
    router.worker("w1")
    router.worker("w2")
    router.job("j1")
    router.decline("w1", "j1")
    router.job("j2")
    assert router.offered("j2") == ["w1"]


@pytest.mark.parametrize("end", ["unassign", "cancel"])
def test_available_since_is_renewed_by_unassign_and_cancel(router: Router, end: str) -> None:
    router.worker("w1")
    router.worker("w2")
    router.job("j1")
    router.accept("w1", "j1")
    if end == "unassign":
        router.unassign("j1", suspend=True)
    else:
        router.cancel("j1")
    router.job("j2")
    assert router.offered("j2") == ["w2"]


# ---- many queues -----------------------------------------------------------------------------------


@pytest.fixture(name="wide")
def _wide(router: Router) -> Router:
    """Hundred queues and a worker that serves them all."""
    for number in range(100):
        router.queue(f"q{number}")
    return router


QUEUES = [f"q{number}" for number in range(100)]
LABELS = {f"label{number}": number for number in range(99)}


def test_worker_with_many_queues_and_labels(wide: Router) -> None:
    wide.worker("anna", queues=QUEUES, labels=LABELS)
    wide.job("j", queue="q77")
    assert wide.offered("j") == ["anna"]
    wide.accept("anna", "j")
    wide.job("next", queue="q3", selectors=[wants("label5", "=", 5)])
    wide.complete("j")
    wide.close("j")
    assert wide.offered("next") == ["anna"]


def test_worker_with_too_many_combinations_is_refused(wide: Router) -> None:
    wide.worker("anna", queues=QUEUES)
    with wide.refuses("INVALID"):
        wide.worker("anna", queues=QUEUES, labels={**LABELS, "one more": 1})
    with wide.refuses("INVALID"):
        wide.worker("bert", queues=QUEUES, labels={**LABELS, "one more": 1}, available=False)
    wide.job("j", queue="q77")
    assert wide.offered("j") == ["anna"]
