"""The spans of jobs' lives, as events in their order tell them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from engine.worker.lives import Lives


class Told:
    """Lives, what they have measured, and events as verbs."""

    def __init__(self, remembered: int = 100) -> None:
        self.spans: list[tuple[str, float]] = []
        self.places: set[tuple[str, str]] = set()
        self.missed: list[str] = []
        self.lives = Lives(self._measured, self.missed.append, remembered)

    def _measured(self, figure: str, queue: str, channel: str, seconds: float) -> None:
        self.spans.append((figure, seconds))
        self.places.add((queue, channel))

    def tell(self, at: int, kind: str, job: str = "j", **more: Any) -> None:
        data = {
            "jobId": job,
            "queueId": "q",
            "channelId": "voice",
            "offerId": "o",
            "labels": {"a": 1},
            **more,
        }
        self.lives.tell(at, f"Router{kind}", json.dumps({"id": "x", "data": data}).encode())


@pytest.fixture
def told() -> Told:
    return Told()


def test_a_life(told: Told) -> None:
    told.tell(1_000, "JobReceived")
    told.tell(1_000, "JobQueued")
    told.tell(3_000, "WorkerOfferIssued")
    told.tell(3_500, "WorkerOfferAccepted")
    told.tell(9_000, "JobCompleted")
    told.tell(63_500, "JobClosed")
    assert told.spans == [("time_to_offer", 2.0), ("offer_to_accept", 0.5), ("wait", 2.5), ("handling", 60.0)]
    assert told.places == {("q", "voice")}
    assert told.missed == []
    assert len(told.lives) == 0


def test_only_the_first_offer_ends_the_time_to_it(told: Told) -> None:
    told.tell(1_000, "JobQueued")
    told.tell(2_000, "WorkerOfferIssued", offerId="o1")
    told.tell(4_000, "WorkerOfferDeclined", offerId="o1")
    told.tell(4_000, "WorkerOfferIssued", offerId="o2")
    told.tell(5_000, "WorkerOfferAccepted", offerId="o2")
    assert told.spans == [("time_to_offer", 1.0), ("offer_to_accept", 1.0), ("wait", 4.0)]


def test_a_job_that_moves_between_queues_goes_on_waiting(told: Told) -> None:
    told.tell(1_000, "JobQueued")
    told.tell(2_000, "JobQueued", queueId="r")
    told.tell(3_000, "WorkerOfferIssued", queueId="r")
    told.tell(3_000, "WorkerOfferAccepted", queueId="r")
    assert told.spans[-1] == ("wait", 2.0)
    assert told.places == {("r", "voice")}


def test_an_unassigned_job_waits_anew(told: Told) -> None:
    told.tell(1_000, "JobQueued")
    told.tell(1_000, "WorkerOfferIssued")
    told.tell(1_000, "WorkerOfferAccepted")
    told.tell(50_000, "JobUnassigned")
    told.tell(50_000, "JobQueued")
    told.tell(51_000, "WorkerOfferIssued", offerId="o2")
    told.tell(52_000, "WorkerOfferAccepted", offerId="o2")
    told.tell(53_000, "JobClosed")
    assert told.spans[3:] == [
        ("time_to_offer", 1.0),
        ("offer_to_accept", 1.0),
        ("wait", 2.0),
        ("handling", 1.0),
    ]


def test_a_suspended_job_waits_from_its_activation(told: Told) -> None:
    told.tell(1_000, "JobQueued")
    told.tell(2_000, "JobWaitingForActivation")
    told.tell(60_000, "JobQueued")
    told.tell(61_000, "WorkerOfferIssued")
    told.tell(61_000, "WorkerOfferAccepted")
    assert [span for span in told.spans if span[0] in ("time_to_offer", "wait")] == [
        ("time_to_offer", 1.0),
        ("wait", 1.0),
    ]


@pytest.mark.parametrize("end", ["JobCancelled", "JobDeleted", "JobClosed"])
def test_what_is_over_is_forgotten(told: Told, end: str) -> None:
    told.tell(1_000, "JobQueued")
    told.tell(2_000, end)
    assert len(told.lives) == 0


def test_a_new_life_begins_anew(told: Told) -> None:
    told.tell(1_000, "JobQueued")
    told.tell(2_000, "JobReceived")
    told.tell(3_000, "JobQueued")
    told.tell(4_000, "WorkerOfferIssued")
    assert told.spans == [("time_to_offer", 1.0)]


def test_what_began_unseen_is_counted_as_such(told: Told) -> None:
    told.tell(5_000, "WorkerOfferAccepted")
    assert told.missed == ["offer_to_accept", "wait"]
    told.tell(6_000, "JobClosed")
    assert told.spans == [("handling", 1.0)]
    told.tell(7_000, "WorkerOfferIssued", "k")
    told.tell(7_000, "JobClosed", "l")
    assert told.missed[2:] == ["time_to_offer", "handling"]


def test_the_memory_is_bounded() -> None:
    told = Told(remembered=2)
    for job in ("a", "b", "c"):
        told.tell(1_000, "JobQueued", job)
    assert len(told.lives) == 2
    told.tell(2_000, "WorkerOfferIssued", "c")
    told.tell(2_000, "WorkerOfferIssued", "a")
    assert told.spans == [("time_to_offer", 1.0)]
    assert told.missed == ["time_to_offer"]


def test_ids_that_are_no_text_do_no_harm(told: Told) -> None:
    told.lives.tell(1_000, "RouterJobQueued", b'{"data":{"jobId":"\xff"}}')
    told.lives.tell(1_000, "RouterJobQueued", b"{")
    told.lives.tell(1_000, "RouterWorkerRegistered", b"{")
    assert len(told.lives) == 0
