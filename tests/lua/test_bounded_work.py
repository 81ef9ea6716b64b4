"""A job or a worker with a thousand offers: each call stays short, and in the end all is as it should be."""

from __future__ import annotations

import msgspec
import pytest

from bench.entities import job, policy, queue, region_and_skill, worker
from bench.site import Site
from engine import commands as c
from engine.model import members_text

THOUSAND = 1_000
CALLS = 1_000
"""redis.calls that an operation may make for 20 offers made and 20 taken back, in 100 label classes."""


@pytest.fixture(name="here")
def _here(empty: Site) -> Site:
    """Every job of queue ``crowd`` is offered to a thousand workers at once."""
    empty.build(
        [policy(), queue(), policy("crowd", offers=THOUSAND), queue("crowd", "crowd"), queue("next", "crowd")]
    )
    return empty


@pytest.fixture(name="crowd")
def _crowd(here: Site) -> Site:
    """Job job-0 is offered to a thousand workers; a thousand jobs wait for them."""
    queues = ["crowd", "next", "support"]
    here.build(worker(n, region_and_skill(n), queues=queues) for n in range(THOUSAND))
    act(here, job(0, queue="crowd"))
    assert len(here.offers_since(0)) == THOUSAND
    here.build(job(n) for n in range(1, THOUSAND))
    return here


@pytest.fixture(name="busy")
def _busy(here: Site) -> Site:
    """Worker worker-0 has the offers of a thousand jobs."""
    here.build(job(n) for n in range(THOUSAND))
    act(here, worker(0, {"grade": 1}, capacity=THOUSAND))
    assert len(here.offers_since(0)) == THOUSAND
    return here


def act(here: Site, command: c.Command) -> None:
    """Runs a command and what it leaves to the agenda; no call is long, and all is sound at its end."""
    more = 1
    while more:
        replies, cost = here.meter.run(here.packed([command]))
        assert cost.commands <= CALLS, command
        more = dict(zip(replies[0][::2], replies[0][1::2], strict=True)).get("more", 1)
        command = c.AgendaDue()
    ids = [f"job:job-{n}" for n in (0, 1, 500, 999)] + [f"worker:worker-{n}" for n in (0, 1, 500, 999)]
    assert here.run(c.Check(ids))["problems"] == []


def changed(command: c.WorkerUpsert, **fields: object) -> c.WorkerUpsert:
    """The worker as it was, but for these fields."""
    return msgspec.structs.replace(command, doc=1, **fields)


def offered(here: Site) -> int:
    """How many offers are open."""
    return sum(row.startswith("offer:") for row in here.client.call("ZRANGE", f"{here.root}:agenda", 0, -1))


def test_offer_accept_of_a_job_with_a_thousand_offers(crowd: Site) -> None:
    offer = crowd.offers_since(0)[0]
    act(crowd, c.OfferAccept(offer.worker_id, offer.offer_id))
    assert offered(crowd) == THOUSAND - 1


def test_job_cancel_of_a_job_with_a_thousand_offers(crowd: Site) -> None:
    act(crowd, c.JobCancel("job-0"))
    assert offered(crowd) == THOUSAND - 1


def test_job_update_that_moves_a_job_with_a_thousand_offers(crowd: Site) -> None:
    moved = job(0, queue="next")
    fields = {name: getattr(moved, name) for name in c.JobUpdate.__struct_fields__}
    act(crowd, c.JobUpdate(**fields | {"doc": 1}))
    assert offered(crowd) == THOUSAND


def test_worker_upsert_that_signs_off_a_worker_with_a_thousand_offers(busy: Site) -> None:
    busy.build(worker(n, {"grade": 1}) for n in range(1, 501))
    act(busy, changed(worker(0, {"grade": 1}, capacity=THOUSAND), available=False))
    assert offered(busy) == 500


def test_worker_upsert_with_other_labels_of_a_worker_with_a_thousand_offers(busy: Site) -> None:
    act(busy, changed(worker(0, {"grade": 2}, capacity=THOUSAND)))
    assert offered(busy) == THOUSAND


def test_worker_delete_of_a_worker_with_a_thousand_offers(busy: Site) -> None:
    act(busy, c.WorkerDelete("worker-0"))
    assert offered(busy) == 0


# ---- explaining --------------------------------------------------------------------------------------------


def explained(here: Site, command: c.Command) -> float:
    """The redis.calls of a call that only reads."""
    _, cost = here.meter.run(here.packed([command]))
    return cost.commands


def test_a_job_of_a_thousand_offers_is_explained_shortly(crowd: Site) -> None:
    assert explained(crowd, c.JobExplain("job-0")) <= 300
    assert explained(crowd, c.JobExplain("job-0", "worker-7")) <= 30
    assert explained(crowd, c.JobExplain("job-999", "worker-7")) <= 30


def test_a_worker_of_a_thousand_offers_is_explained_shortly(busy: Site) -> None:
    assert explained(busy, c.JobExplain("job-1", "worker-0")) <= 30
    assert explained(busy, c.WorkerExplain("worker-0")) <= 60


def test_what_is_explained_is_as_it_was(crowd: Site) -> None:
    """What a search notes of bounds is not written in a call that only reads."""
    before = crowd.op()
    for command in (c.JobExplain("job-0"), c.JobExplain("job-5", "worker-7"), c.WorkerExplain("worker-7")):
        crowd.run(command)
    assert crowd.op() == before
    ids = [f"job:job-{n}" for n in (0, 5)] + ["worker:worker-7", "queue:crowd"]
    assert crowd.run(c.Check(ids))["problems"] == []


# ---- listing -----------------------------------------------------------------------------------------------


def test_a_page_of_long_entities_is_short(empty: Site) -> None:
    """It ends soon after a megabyte; the pages together have all of them."""
    long = members_text({f"k{n:02}": "x" * 1_000 for n in range(100)})
    empty.build([policy(), queue()])
    empty.build(msgspec.structs.replace(job(n), labels=long, tags=long) for n in range(20))
    found, cursor = [], 0
    while cursor or not found:
        page = empty.run(c.JobList(cursor=cursor))
        assert sum(len(word) for row in page["rows"] for word in row if isinstance(word, str)) < 1.3 * 2**20
        found += page["rows"]
        cursor = page["next"]
    assert len(found) == 20
