"""A queue with more label classes than are remembered: the label index answers for what a selector asks."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import pytest

from bench.entities import CHANNEL, QUEUE, equal, job, policy, queue, worker
from bench.site import Site
from engine.commands import Check, JobCancel, JobCreate, OfferDecline, WorkerUpsert
from engine.model import Channel, Selector, json_text

WORKERS = 700
MODES = ("longestIdle", "roundRobin", "bestWorker")


@pytest.fixture(name="here", params=MODES)
def _here(empty: Site, request: pytest.FixtureRequest) -> Site:
    """As many label classes as free workers; every second worker has a maximum on the channel."""
    empty.build([policy(request.param, request.param), queue(distribution=request.param)])
    empty.build(map(_worker, range(WORKERS)))
    return empty


def _worker(number: int) -> WorkerUpsert:
    labels = {"name": f"person-{number}", "grade": number - 5, "half": number % 2 == 0}
    channel = Channel(CHANNEL, 1, 1 if number % 2 else None)
    return worker(number, labels, channels=[channel])


def _asking(here: Site, *selectors: Selector) -> JobCreate:
    return job(here.take_serials(1)[0], selectors, labels={})


def _offered(here: Site, *selectors: Selector) -> list[str]:
    """The workers that a new job is offered to."""
    before = here.op()
    here.run(_asking(here, *selectors))
    return _workers(here, before)


def _workers(here: Site, before: int) -> list[str]:
    return [offer.worker_id for offer in here.offers_since(before)]


def _grade(operator: str, grade: float) -> Selector:
    return Selector("grade", operator, json_text(grade))


ASKED: list[tuple[Sequence[Selector], list[int]]] = [
    (equal({"name": "person-613"}), [613]),
    (equal({"name": "person-612", "half": True}), [612]),
    (equal({"name": "person-612", "half": False}), []),
    (equal({"name": "nobody"}), []),
    ([_grade("=", 691)], [696]),
    ([_grade(">", 692), _grade("<", 694)], [698]),
    ([_grade(">=", 694)], [699]),
    ([_grade("<=", -5)], [0]),
    ([_grade("<", -4)], [0]),
    ([_grade(">", 693.5)], [699]),
    ([_grade(">", 694)], []),
    ([Selector("name", ">", json_text("person-99"))], []),
    ([Selector("name", ">=", json_text("person-99"))], [99]),
    ([Selector("grade", "=", json_text("691"))], []),
    ([Selector("half", ">", "true")], []),
    ([Selector("language", "!=", "null")], []),
    ([*equal({"name": "person-30"}), Selector("name", "!=", "null")], [30]),
    ([*equal({"name": "person-30"}), Selector("name", "=", "null")], []),
]


def test_the_worker_that_a_selector_asks_for(here: Site) -> None:
    for selectors, numbers in ASKED:
        ask = _asking(here, *selectors)
        before = here.op()
        here.run(ask)
        assert _workers(here, before) == [f"worker-{number}" for number in numbers], selectors
        assert _offered(here, *selectors) == []
        # both go, so that the next case finds everybody free
        here.run(JobCancel(ask.id))
        here.run(JobCancel(f"job-{here.serial - 1}"))


def test_narrow_selectors_take_few_calls(here: Site) -> None:
    most = 40 if _mode(here) == "roundRobin" else 30
    for number in (500, 501, 502):
        ask = _asking(here, *equal({"name": f"person-{number}"}))
        _, cost = here.meter.run(here.packed([ask]))
        assert cost.commands <= most


def _mode(here: Site) -> str:
    return str(here.client.call("HGET", f"{here.root}:queue:{QUEUE}", "distribution"))


def test_a_declined_job_goes_to_the_next_that_fits(here: Site) -> None:
    before = here.op()
    here.run(_asking(here, _grade(">=", 690)))
    asked = []
    while offers := here.offers_since(before):
        before = here.op()
        asked.append(offers[0].worker_id)
        here.run(OfferDecline(offers[0].worker_id, offers[0].offer_id))
    wanted = [f"worker-{number}" for number in range(695, 700)]
    assert asked == (wanted[::-1] if _mode(here) == "bestWorker" else wanted)


@pytest.mark.parametrize("here", ["roundRobin"], indirect=True)
def test_round_robin_goes_on_around_the_circle(here: Site) -> None:
    assert _offered(here, *equal({"name": "person-697"})) == ["worker-697"]
    found = [worker for _ in range(4) for worker in _offered(here, _grade(">=", 690))]
    assert found == ["worker-698", "worker-699", "worker-695", "worker-696"]
    assert _offered(here, _grade(">=", 690)) == []


def test_the_index_ends_with_its_classes(here: Site) -> None:
    for number in range(WORKERS):
        here.run(msgspec.structs.replace(_worker(number), doc=1, available=False))
    assert here.client.call("EXISTS", f"{here.root}:class.labels") == 0


def test_the_store_is_sound(here: Site) -> None:
    _offered(here, *equal({"name": "person-5"}))
    ids = [f"worker:worker-{number}" for number in range(20)]
    assert here.run(Check([*ids, f"queue:{QUEUE}"]))["problems"] == []
