"""Offers: every row of their state machine, decline memory, exact deadlines, outages, repeats."""

from __future__ import annotations

import pytest

from engine import commands as c
from tests.stories.router import START, Router, wants

WEEK = 7 * 86_400_000


def test_offer_accept_revokes_all_others(router: Router) -> None:
    router.policy(offers=3)
    for worker in ("w1", "w2", "w3"):
        router.worker(worker)
    router.told()
    router.job("j1")
    assert router.offered("j1") == ["w1", "w2", "w3"]
    lost = router.offer_id("w3", "j1")
    router.accept("w2", "j1")
    assert router.told()[-3:] == ["OfferAccepted w2 j1", "OfferRevoked w1 j1", "OfferRevoked w3 j1"]
    assert (router.load("w1"), router.load("w2"), router.load("w3")) == (0, 1, 0)
    with router.refuses("TAKEN"):
        router.run(c.OfferAccept("w3", lost))
    with router.refuses("NOT_FOUND"):
        router.run(c.OfferDecline("w3", lost))


def test_offer_accept_remembers_sixteen_losses(router: Router) -> None:
    router.policy(offers=2)
    router.worker("w1", capacity=20)
    router.worker("w2", capacity=20)
    lost = []
    for n in range(17):
        router.job(f"j{n}")
        lost.append(router.offer_id("w2", f"j{n}"))
        router.accept("w1", f"j{n}")
    with router.refuses("NOT_FOUND"):
        router.run(c.OfferAccept("w2", lost[0]))
    for offer in lost[1:]:
        with router.refuses("TAKEN"):
            router.run(c.OfferAccept("w2", offer))


def test_offer_accept_belongs_to_its_worker(router: Router) -> None:
    router.worker("w1")
    router.worker("w2")
    router.job("j1")
    with router.refuses("NOT_FOUND", "Offer not found. OfferId: "):
        router.run(c.OfferAccept("w2", router.offer_id("w1", "j1")))


def test_offer_accept_frees_a_slot_for_the_next_offer(router: Router) -> None:
    router.worker("w1", capacity=2, max_offers=1)
    router.job("j1")
    router.job("j2")
    assert router.offers("w1") == ["j1"]
    router.accept("w1", "j1")
    assert router.offers("w1") == ["j2"]


def test_offer_accept_frees_a_slot_of_the_general_limit_too(empty: Router) -> None:
    empty.settings(worker_offers=2)
    empty.policy()
    empty.queue()
    empty.worker("w1", channels={"voice": 0})
    for job in ("j1", "j2", "j3"):
        empty.job(job)
    assert empty.offers("w1") == ["j1", "j2"]
    empty.accept("w1", "j2")
    assert empty.offers("w1") == ["j1", "j3"]


def test_general_limit_of_offers_stays_while_there_are_workers(empty: Router) -> None:
    empty.settings(worker_offers=2)
    empty.policy()
    empty.queue()
    empty.worker("w1", capacity=3)
    empty.job("j1")
    empty.job("j2")
    with empty.refuses("CONFLICT", "worker_offers cannot change while there are workers"):
        empty.settings(worker_offers=1)
    empty.settings(worker_offers=2, unassign_limit=5)
    empty.job("j3")
    assert empty.offers("w1") == ["j1", "j2"]
    empty.run(c.WorkerDelete("w1"))
    empty.settings(worker_offers=1)
    empty.worker("w2", capacity=3)
    assert empty.offers("w2") == ["j1"]


# ---- decline -------------------------------------------------------------------------------------


def test_offer_decline_goes_to_the_next_and_bars(router: Router) -> None:
    router.worker("w1")
    router.worker("w2")
    router.job("j1")
    router.told()
    router.decline("w1", "j1")
    assert router.told() == ["OfferDeclined w1 j1", "OfferIssued w2 j1"]
    router.decline("w2", "j1")
    assert router.told() == ["OfferDeclined w2 j1"]
    assert router.state("w1") == "active"
    router.job("j2")
    assert router.offers("w1") == ["j2"]


def test_worker_register_again_lifts_the_bar(router: Router) -> None:
    router.worker("w1")
    router.job("j1")
    router.decline("w1", "j1")
    router.worker("w1", tags={"a": 1})
    assert router.offers("w1") == []
    router.worker("w1", available=False)
    router.worker("w1", available=True)
    assert router.offers("w1") == ["j1"]


def test_offer_decline_until_a_retry_time(router: Router) -> None:
    router.worker("w1")
    router.job("j1")
    router.decline("w1", "j1", retry_at=30_000)
    router.at(29_999)
    assert router.offers("w1") == []
    router.told()
    router.at(30_000)
    assert router.told() == ["OfferIssued w1 j1"]


def test_offer_decline_with_a_retry_time_lets_others_have_the_job(router: Router) -> None:
    router.worker("w1")
    router.worker("w2")
    router.job("j1")
    router.decline("w1", "j1", retry_at=30_000)
    assert router.offers("w2") == ["j1"]
    router.accept("w2", "j1")
    router.told()
    router.at(30_000)
    assert router.told() == []


def test_offer_decline_with_a_past_retry_time_bars_nothing(router: Router) -> None:
    router.worker("w1")
    router.job("j1")
    router.decline("w1", "j1", retry_at=-1)
    assert router.offers("w1") == ["j1"]


def test_offer_decline_bars_after_a_move_too(router: Router) -> None:
    router.queue("q2")
    router.worker("w1", queues=["q", "q2"])
    router.job("j1")
    router.decline("w1", "j1")
    router.job("j1", queue="q2")
    assert router.offers("w1") == []


def test_offer_decline_retry_outlived_by_a_new_registration(router: Router) -> None:
    router.worker("w1")
    router.job("j1")
    router.decline("w1", "j1", retry_at=30_000)
    router.worker("w1", available=False)
    router.worker("w1", available=True)
    router.decline("w1", "j1")
    router.at(30_000)
    assert router.offers("w1") == []


def test_offer_decline_bars_only_in_the_life_of_the_job(router: Router) -> None:
    router.worker("w1")
    router.job("j1")
    router.decline("w1", "j1")
    router.cancel("j1")
    router.job("j1")
    assert router.offers("w1") == ["j1"]
    router.decline("w1", "j1")
    router.cancel("j1")
    router.run(c.JobDelete("j1"))
    router.job("j1")
    assert router.offers("w1") == ["j1"]


def test_offer_decline_passes_over_many_declined_jobs(router: Router) -> None:
    router.worker("w1")
    for number in range(30):
        router.job(f"j{number}")
        router.decline("w1", f"j{number}", **({"retry_at": 30_000} if number == 20 else {}))
    router.job("last")
    assert router.offers("w1") == ["last"]
    router.decline("w1", "last")
    router.at(30_000)
    assert router.offers("w1") == ["j20"]


def test_offer_decline_forgets_jobs_that_are_over(router: Router) -> None:
    router.worker("w1")
    router.job("waits")
    router.decline("w1", "waits")
    for number in range(40):
        router.job(f"j{number}")
        router.decline("w1", f"j{number}")
        router.cancel(f"j{number}")
    kept = router.redis.zrange(f"{router.root}:worker.declined:w1", 0, -1)
    assert "waits" in kept
    assert len(kept) < 20
    assert router.offers("w1") == []


def test_offer_decline_retry_of_a_job_that_is_away_then(router: Router) -> None:
    router.worker("w1")
    router.job("j1")
    router.decline("w1", "j1", retry_at=30_000)
    router.job("j1", mode="suspend")
    router.at(30_000)
    router.job("j1", mode="queueAndMatch")
    assert router.offers("w1") == ["j1"]


# ---- expiry --------------------------------------------------------------------------------------


def test_offer_expiry_deregisters_and_revokes_the_rest(router: Router) -> None:
    router.worker("w1", capacity=2)
    router.job("j1")
    router.at(30_000)
    router.job("j2")
    router.worker("w2")
    router.told()
    router.at(60_000)
    assert router.told() == [
        "OfferExpired w1 j1",
        "OfferRevoked w1 j2",
        "WorkerDeregistered w1",
        "OfferIssued w2 j1",
    ]
    worker = router.read_worker("w1")
    assert (worker.state, worker.available, worker.used) == ("inactive", False, 0)


def test_offer_expiry_drains_a_worker_with_an_assignment(router: Router) -> None:
    router.worker("w1", capacity=2)
    router.job("j1")
    router.accept("w1", "j1")
    router.job("j2")
    router.at(60_000)
    assert router.state("w1") == "draining"
    router.complete("j1")
    router.told()
    router.close("j1")
    assert (router.state("w1"), router.told()) == ("inactive", ["JobClosed j1"])


def test_offer_expiry_deregisters_each_of_many(router: Router) -> None:
    router.policy(offers=2)
    router.worker("w1")
    router.worker("w2")
    router.job("j1")
    router.at(60_000)
    assert (router.state("w1"), router.state("w2")) == ("inactive", "inactive")
    assert router.offered("j1") == []


def test_offer_expiry_is_fixed_at_its_issue(router: Router) -> None:
    router.worker("w1")
    router.job("j1")
    router.policy(expires=5_000)
    router.at(59_999)
    assert router.offers("w1") == ["j1"]
    router.at(60_000)
    assert router.offers("w1") == []


@pytest.mark.parametrize("verb", ["accept", "decline"])
def test_deadlines_are_exact(router: Router, verb: str) -> None:
    router.worker("w1")
    router.job("j1")
    offer = router.offer_id("w1", "j1")
    command = c.OfferAccept("w1", offer) if verb == "accept" else c.OfferDecline("w1", offer)
    router.at(58_000)
    router.outage(60_000)
    # nobody has swept, and this very call notices
    with router.refuses("NOT_FOUND", "Offer not found"):
        router.run(command)
    assert router.state("w1") == "inactive"


def test_offer_accept_in_the_last_millisecond(router: Router) -> None:
    router.worker("w1")
    router.job("j1")
    router.at(59_999)
    router.accept("w1", "j1")
    assert router.status("j1") == "assigned"


# ---- outages -------------------------------------------------------------------------------------


def test_offers_that_ran_out_in_an_outage_are_revoked(router: Router) -> None:
    router.worker("w1")
    router.at(1_000)
    router.job("j1")
    router.told()
    router.outage(100_000)
    router.sweep()
    assert router.told() == ["OfferRevoked w1 j1", "OfferIssued w1 j1"]
    assert router.state("w1") == "active"


def test_an_outage_is_noticed_by_any_call(router: Router) -> None:
    router.worker("w1")
    router.job("j1")
    router.told()
    router.outage(100_000)
    router.job("j2")
    assert router.told()[:2] == ["OfferRevoked w1 j1", "OfferIssued w1 j1"]
    assert router.state("w1") == "active"


def test_what_ran_out_in_an_outage_stays_so_when_the_sweep_needs_several_calls(router: Router) -> None:
    router.settings(batch=1)
    for n in (1, 2, 3):
        router.worker(f"w{n}")
        router.job(f"j{n}")
    router.told()
    router.outage(100_000)
    router.sweep()
    router.sweep()
    router.sweep()
    assert [e.split()[0] for e in router.told()].count("OfferRevoked") == 3
    assert router.state("w3") == "active"


def test_a_short_pause_is_no_outage(router: Router) -> None:
    router.worker("w1")
    router.job("j1")
    router.at(58_000)
    router.outage(63_000)
    router.sweep()
    assert router.state("w1") == "inactive"


def test_an_outage_of_a_clock_that_was_set_back_is_none(router: Router) -> None:
    """It had leapt an hour ahead, which a sweep took for an outage: offers of that hour still run out."""
    router.at(1_000)
    router.outage(3_600_000)
    router.sweep()
    router.outage(2_000)
    router.worker("w1")
    router.job("j1")
    router.told()
    router.at(70_000)
    assert router.told() == ["OfferExpired w1 j1", "WorkerDeregistered w1"]
    assert router.state("w1") == "inactive"


def test_outages_can_be_switched_off(router: Router) -> None:
    router.settings(outage_ms=0)
    router.worker("w1")
    router.job("j1")
    router.outage(1_000_000)
    router.sweep()
    assert router.state("w1") == "inactive"


# ---- repeats -------------------------------------------------------------------------------------


def test_repeated_requests_act_once(router: Router) -> None:
    router.worker("w1", capacity=3)
    router.job("j1")
    router.job("j2")
    accept = c.OfferAccept("w1", router.offer_id("w1", "j1"), "r1")
    first = router.run(accept)
    decline = c.OfferDecline("w1", router.offer_id("w1", "j2"), 0, "r2")
    router.run(decline)
    complete = c.AssignmentComplete("j1", first["assignment"], "r3", '"n"')
    router.run(complete)
    close = c.AssignmentClose("j1", first["assignment"], "", START + 50_000, "r4", '"n"')
    router.run(close)
    cancel = c.JobCancel("j2", "", "r5", '"n"')
    router.run(cancel)
    router.told()
    assert router.run(accept)["assignment"] == first["assignment"]
    before = router.digest()
    for command in (accept, decline, complete, close, cancel):
        router.run(command)
    assert (router.told(), router.digest()) == ([], before)


def test_a_repeated_unassign_acts_once(router: Router) -> None:
    router.worker("w1")
    router.job("j1")
    router.accept("w1", "j1")
    unassign = c.AssignmentUnassign("j1", router.assignment("j1"), False, "r1")
    assert router.run(unassign)["count"] == 1
    router.accept("w1", "j1")
    router.told()
    assert router.run(unassign)["count"] == 1
    assert (router.told(), router.status("j1")) == ([], "assigned")


def test_another_request_of_the_same_kind_is_refused(router: Router) -> None:
    router.worker("w1")
    router.job("j1")
    offer = router.offer_id("w1", "j1")
    router.accept("w1", "j1", request_id="r1")
    router.complete("j1", request_id="r1")
    with router.refuses("NOT_FOUND"):
        router.run(c.OfferAccept("w1", offer, "r2"))
    with router.refuses("CONFLICT"):
        router.complete("j1", request_id="r2")


# ---- many ----------------------------------------------------------------------------------------


def test_job_with_several_offers_takes_all_it_can(router: Router) -> None:
    router.policy(offers=2, min_offers=1)
    router.worker("w1")
    router.job("j1")
    assert router.offered("j1") == ["w1"]
    router.worker("w2")
    router.worker("w3")
    assert router.offered("j1") == ["w1", "w2"]


def test_offer_reserves_the_cost_of_its_channel(router: Router) -> None:
    router.worker("w1", capacity=10, channels={"voice": 4, "chat": 3})
    router.job("j1")
    router.job("j2", channel="chat")
    router.job("j3", channel="chat")
    router.job("j4", channel="chat")
    assert router.offers("w1") == ["j1", "j2", "j3"]
    assert router.load("w1") == 1


def test_job_for_one_worker_only(router: Router) -> None:
    router.worker("w1")
    router.worker("w2")
    router.job("j1", selectors=[wants("Id", "=", "w2")])
    router.job("j2", selectors=[wants("Id", "=", "w2")])
    assert (router.offers("w1"), router.offers("w2")) == ([], ["j1"])


@pytest.mark.parametrize("taken", [1, 2, 3])
@pytest.mark.parametrize("stuck", [1, 2, 3, 4])
def test_freed_workers_find_the_jobs_behind_those_that_others_take(
    router: Router, taken: int, stuck: int
) -> None:
    """Kinds of jobs that a call takes while it frees several workers hide none of the kinds behind them."""
    workers = [f"w{number}" for number in range(taken + 1)]
    router.policy("many", offers=len(workers))
    router.queue("first", distribution="many")
    for worker in workers:
        router.worker(worker, queues=["first", "q"])
    router.job("first", queue="first")
    assert router.offered("first") == workers
    for number in range(taken):
        router.job(f"taken {number}", selectors=[wants(f"none {number}", "!=", 1)])
    for number in range(stuck):
        router.job(f"stuck {number}", selectors=[wants("none", ">", number)])
    router.job("last")
    router.cancel("first")
    for number in range(taken):
        assert len(router.offered(f"taken {number}")) == 1
    assert len(router.offered("last")) == 1
