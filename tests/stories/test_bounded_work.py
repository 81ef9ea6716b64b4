"""Bounded work: a call makes and takes back at most one portion of offers; the rest goes on by the agenda."""

from __future__ import annotations

import pytest

from engine import commands as c
from tests.stories.router import START, Router, wants

CROWD = [f"w{n}" for n in range(1, 8)]


def finish(router: Router) -> None:
    """Sweeps until nothing is due any more, as a worker does."""
    while router.sweep()["more"]:
        pass


@pytest.fixture(name="crowd")
def _crowd(router: Router) -> Router:
    """Job j1 is offered to seven workers; a call takes back two offers."""
    router.policy(offers=7)
    for worker in CROWD:
        router.worker(worker)
    router.job("j1")
    router.settings(batch=8)
    finish(router)
    assert router.offered("j1") == CROWD
    router.told()
    return router


@pytest.fixture(name="busy")
def _busy(router: Router) -> Router:
    """Worker w1 has offers of seven jobs, w2 waits; a call takes back two offers."""
    router.worker("w1", capacity=7, labels={"a": 1})
    for n in range(1, 8):
        router.job(f"j{n}")
    router.settings(batch=8)
    finish(router)
    assert router.offers("w1") == [f"j{n}" for n in range(1, 8)]
    router.told()
    return router


# ---- the job has changed ---------------------------------------------------------------------------


def test_offer_accept_makes_all_others_void_at_once(crowd: Router) -> None:
    lost = {worker: crowd.offer_id(worker, "j1") for worker in CROWD}
    crowd.accept("w1", "j1")
    assert crowd.told() == ["OfferAccepted w1 j1", "OfferRevoked w2 j1", "OfferRevoked w3 j1"]
    assert crowd.offered("j1") == []
    assert [crowd.offers(worker) for worker in CROWD] == [[]] * 7
    assert [crowd.load(worker) for worker in ("w3", "w4", "w7")] == [0, 1, 1]
    # each call takes back two first: the last two are void still
    with crowd.refuses("TAKEN"):
        crowd.run(c.OfferAccept("w7", lost["w7"]))
    assert crowd.load("w6") == 1
    finish(crowd)
    assert crowd.told() == [f"OfferRevoked {worker} j1" for worker in ("w4", "w5", "w6", "w7")]
    assert [crowd.load(worker) for worker in CROWD] == [1, 0, 0, 0, 0, 0, 0]
    for worker in CROWD[1:]:
        with crowd.refuses("TAKEN"):
            crowd.run(c.OfferAccept(worker, lost[worker]))


def test_offer_decline_finds_no_void_offer(crowd: Router) -> None:
    offer = crowd.offer_id("w7", "j1")
    crowd.accept("w1", "j1")
    with crowd.refuses("NOT_FOUND"):
        crowd.run(c.OfferDecline("w7", offer))


def test_job_cancel_makes_its_offers_void_at_once(crowd: Router) -> None:
    offer = crowd.offer_id("w7", "j1")
    crowd.cancel("j1")
    assert crowd.told() == ["OfferRevoked w1 j1", "OfferRevoked w2 j1", "JobCancelled j1"]
    assert crowd.offers("w7") == []
    with crowd.refuses("NOT_FOUND"):
        crowd.run(c.OfferAccept("w7", offer))
    finish(crowd)
    assert crowd.load("w7") == 0


def test_job_delete_does_not_wait_for_void_offers(crowd: Router) -> None:
    crowd.cancel("j1")
    assert crowd.run(c.JobDelete("j1"))["outcome"] == "deleted"
    crowd.told()
    finish(crowd)
    assert crowd.told() == [f"OfferRevoked {worker} j1" for worker in ("w5", "w6", "w7")]
    assert [crowd.load(worker) for worker in CROWD] == [0] * 7


def test_job_update_moves_a_job_whose_old_offers_are_void(crowd: Router) -> None:
    old = crowd.offer_id("w7", "j1")
    crowd.queue("q2")
    crowd.worker("w8", queues=["q2"])
    crowd.job("j1", queue="q2")
    assert crowd.offered("j1") == ["w8"]
    assert crowd.offers("w7") == []
    with crowd.refuses("NOT_FOUND"):
        crowd.run(c.OfferAccept("w7", old))
    finish(crowd)
    assert [crowd.load(worker) for worker in CROWD] == [0] * 7
    assert crowd.offered("j1") == ["w8"]


def test_a_new_round_may_offer_to_a_worker_with_a_void_offer(router: Router) -> None:
    router.policy(offers=4)
    for worker in ("w1", "w2", "w3", "w4"):
        router.worker(worker, capacity=2)
    router.job("j1")
    router.settings(batch=16)
    finish(router)
    router.settings(batch=1)
    router.job("j1", labels={"a": 1})
    finish(router)
    assert sorted(router.offered("j1")) == ["w1", "w2", "w3", "w4"]
    assert [router.load(worker) for worker in ("w1", "w2", "w3", "w4")] == [0.5] * 4


def test_the_agenda_takes_back_void_offers_in_order(crowd: Router) -> None:
    crowd.cancel("j1")
    crowd.told()
    reply = crowd.sweep()
    assert (reply["done"], reply["more"]) == (1, 1)
    assert crowd.told() == ["OfferRevoked w3 j1", "OfferRevoked w4 j1"]
    crowd.sweep()
    reply = crowd.sweep()
    assert (reply["done"], reply["more"]) == (1, 0)
    assert crowd.told() == ["OfferRevoked w5 j1", "OfferRevoked w6 j1", "OfferRevoked w7 j1"]


def test_a_void_offer_that_runs_out_signs_nobody_off(crowd: Router) -> None:
    crowd.settings(batch=1, outage_ms=0)
    crowd.cancel("j1")
    crowd.outage(70_000)
    finish(crowd)
    assert [crowd.state(worker) for worker in CROWD] == ["active"] * 7
    assert [event.split()[0] for event in crowd.told()].count("OfferRevoked") == 7


# ---- the worker has changed ------------------------------------------------------------------------


def test_worker_upsert_signs_off_at_once_and_takes_back_batch_by_batch(busy: Router) -> None:
    offer = busy.offer_id("w1", "j7")
    busy.worker("w2", capacity=7)
    busy.worker("w1", available=False)
    assert busy.told()[1:] == [
        "OfferRevoked w1 j1",
        "OfferRevoked w1 j2",
        "WorkerDeregistered w1",
        "WorkerUpdated w1",
        "OfferIssued w2 j1",
        "OfferIssued w2 j2",
    ]
    assert (busy.state("w1"), busy.offers("w1")) == ("inactive", [])
    with busy.refuses("NOT_FOUND"):
        busy.run(c.OfferAccept("w1", offer))
    finish(busy)
    assert busy.offers("w2") == [f"j{n}" for n in range(1, 8)]
    assert busy.load("w1") == 0


def test_worker_upsert_registers_again_while_its_former_offers_are_void(busy: Router) -> None:
    busy.worker("w1", available=False)
    busy.worker("w1", available=True)
    assert busy.state("w1") == "active"
    finish(busy)
    assert sorted(busy.offers("w1")) == [f"j{n}" for n in range(1, 8)]
    assert busy.load("w1") == 1


def test_worker_upsert_with_other_labels_makes_its_offers_void(busy: Router) -> None:
    offer = busy.offer_id("w1", "j7")
    busy.worker("w1", labels={"a": 2})
    assert "j7" not in busy.offers("w1")
    with busy.refuses("NOT_FOUND"):
        busy.run(c.OfferAccept("w1", offer))
    finish(busy)
    assert sorted(busy.offers("w1")) == [f"j{n}" for n in range(1, 8)]
    assert busy.offer_id("w1", "j7") != offer


def test_worker_delete_is_complete_at_once(busy: Router) -> None:
    assert busy.run(c.WorkerDelete("w1"))["outcome"] == "deleted"
    with busy.refuses("NOT_FOUND"):
        busy.run(c.WorkerRead("w1"))
    # another worker of the same name has nothing to do with the offers of the first
    busy.worker("w1", capacity=7)
    finish(busy)
    assert sorted(busy.offers("w1")) == [f"j{n}" for n in range(1, 8)]
    assert [event for event in busy.told() if event.startswith("OfferRevoked")] == [
        f"OfferRevoked w1 j{n}" for n in range(1, 8)
    ]


def test_an_offer_may_be_void_for_both_its_worker_and_its_job(busy: Router) -> None:
    busy.worker("w1", available=False)
    busy.cancel("j7")
    busy.run(c.WorkerDelete("w1"))
    finish(busy)
    assert [event for event in busy.told() if event.startswith("OfferRevoked")] == [
        f"OfferRevoked w1 j{n}" for n in (1, 2, 3, 4, 7, 5, 6)
    ]
    assert busy.status("j7") == "cancelled"


def test_an_expired_offer_takes_the_others_of_its_worker_along(router: Router) -> None:
    router.settings(batch=1, outage_ms=0)
    router.worker("w1", capacity=4)
    for n in range(1, 5):
        router.job(f"j{n}")
    router.told()
    router.outage(60_000)
    router.sweep()
    assert router.state("w1") == "inactive"
    finish(router)
    kinds = [event.split()[0] for event in router.told()]
    assert kinds == ["OfferExpired", "OfferRevoked", "WorkerDeregistered", "OfferRevoked", "OfferRevoked"]
    assert router.pair.state.agenda.keys() & {f"revoke:{n}" for n in range(100)} == set()
    assert router.pair.state.now == START + 60_000


# ---- offers are made portion by portion --------------------------------------------------------------


def test_job_create_asks_many_workers_portion_by_portion(router: Router) -> None:
    router.policy(offers=7)
    for worker in CROWD:
        router.worker(worker)
    router.settings(batch=8)
    router.told()
    router.job("j1")
    assert router.told() == ["JobReceived j1", "JobQueued j1", "OfferIssued w1 j1", "OfferIssued w2 j1"]
    reply = router.sweep()
    assert (reply["done"], reply["more"]) == (1, 1)
    assert router.told() == ["OfferIssued w3 j1", "OfferIssued w4 j1"]
    finish(router)
    assert router.offered("j1") == CROWD


def test_a_job_that_is_set_aside_lets_others_pass(router: Router) -> None:
    router.policy(offers=7)
    for worker in CROWD:
        router.worker(worker)
    router.settings(batch=5)
    router.job("j1")
    # j1 goes on first: one offer of the due row, then one of the operation itself
    router.job("j2")
    assert router.offered("j1") == ["w1", "w2"]
    assert router.offered("j2") == ["w3"]


def test_worker_upsert_takes_many_jobs_portion_by_portion(router: Router) -> None:
    for n in range(1, 8):
        router.job(f"j{n}")
    router.settings(batch=8)
    router.worker("w1", capacity=7)
    assert router.offers("w1") == ["j1", "j2"]
    finish(router)
    assert router.offers("w1") == [f"j{n}" for n in range(1, 8)]


def test_a_worker_that_is_set_aside_is_passed_over(router: Router) -> None:
    for n in range(1, 4):
        router.job(f"j{n}", channel="chat")
    router.settings(batch=1)
    router.worker("w1", capacity=5, channels={"chat": 1, "voice": 1})
    router.worker("w2")
    assert router.offers("w1") == ["j1", "j2"]
    router.job("j9")
    assert router.offered("j9") == ["w2"]
    finish(router)
    assert router.offers("w1") == ["j1", "j2", "j3"]


def test_jobs_that_are_set_aside_go_on_in_queue_order(router: Router) -> None:
    router.worker("w1", capacity=3)
    for n in (1, 2, 3):
        router.job(f"j{n}", priority=n)
    router.worker("w2", capacity=3, labels={"b": 1})
    router.settings(batch=15)
    router.worker("w1", available=False)
    assert router.offers("w2") == ["j3", "j2", "j1"]
    router.settings(batch=1)
    router.worker("w1", capacity=3, available=True)
    router.worker("w2", labels={"b": 2})
    finish(router)
    assert sorted(router.offers("w1") + router.offers("w2")) == ["j1", "j2", "j3"]


def test_a_worker_signs_off_while_it_is_set_aside(router: Router) -> None:
    for n in range(1, 4):
        router.job(f"j{n}")
    router.settings(batch=1)
    router.worker("w1", capacity=3)
    router.worker("w1", available=False)
    finish(router)
    assert router.state("w1") == "inactive"
    assert [router.offered(f"j{n}") for n in range(1, 4)] == [[], [], []]


def test_a_job_ends_while_it_is_set_aside(router: Router) -> None:
    router.policy(offers=3)
    for worker in ("w1", "w2", "w3"):
        router.worker(worker)
    router.settings(batch=1)
    router.job("j1")
    router.cancel("j1")
    finish(router)
    assert [router.load(worker) for worker in ("w1", "w2", "w3")] == [0, 0, 0]


def test_a_job_moves_in_its_queue_while_it_is_set_aside(router: Router) -> None:
    router.policy(offers=5)
    for n in range(1, 6):
        router.worker(f"w{n}")
    router.settings(batch=1)
    router.job("j1")
    router.job("j1", priority=9)
    finish(router)
    assert router.offered("j1") == [f"w{n}" for n in range(1, 6)]


# ---- what events tell ------------------------------------------------------------------------------


def test_an_offer_with_many_labels_and_tags_counts_more(router: Router) -> None:
    """The event of each tells those of job and worker."""
    router.policy(offers=7)
    for worker in CROWD:
        router.worker(worker, labels={f"k{n}": "x" * 1_000 for n in range(17)})
    router.settings(batch=20)  # a portion is four offers
    router.told()
    router.job("j1", tags={f"k{n}": "x" * 1_000 for n in range(17)})
    assert len(router.offered("j1")) == 2
    finish(router)
    assert router.offered("j1") == CROWD


def test_a_batch_ends_when_it_has_told_much(router: Router) -> None:
    """The rest of it waits for the next call."""
    for n in range(10):
        gone = [wants("a", "=", 1, seconds=1)]
        labels = {f"k{k}": "x" * 1_000 for k in range(100)}
        router.job(f"j{n}", labels=labels, tags=labels, selectors=gone)
    router.outage(1_000)
    told = []
    more = True
    while more:
        more = router.sweep()["more"]
        told.append(router.told().count("JobWorkerSelectorsExpired j9"))
    assert len(told) == 4
    assert sum(told) == 1
