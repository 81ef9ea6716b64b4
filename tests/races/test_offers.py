"""Races for offers: one wins, and all learn how it went."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

from tests.races.crowd import SIZE, Crowd
from tests.signed import Caller
from tests.support import eventually

VOICE = [{"channelId": "voice", "capacityCostPerJob": 1}]


def make_queue(call: Caller, name: str, offers: int) -> None:
    """A queue whose jobs are offered to so many workers at a time."""
    mode = {"kind": "longestIdle", "maxConcurrentOffers": offers}
    policy = {"offerExpiresAfterSeconds": 600, "mode": mode}
    assert call("PATCH", f"/routing/distributionPolicies/{name}", policy)[0] == 201
    assert call("PATCH", f"/routing/queues/{name}", {"distributionPolicyId": name})[0] == 201


def make_worker(call: Caller, worker: str, queue: str, capacity: int = 1) -> None:
    """A worker that takes offers."""
    body = {"capacity": capacity, "queues": [queue], "channels": VOICE, "availableForOffers": True}
    assert call("PATCH", f"/routing/workers/{worker}", body)[0] == 201


def offers_of(call: Caller, worker: str) -> list[dict[str, Any]]:
    """The open offers of a worker."""
    found: list[dict[str, Any]] = call("GET", f"/routing/workers/{worker}")[1]["offers"]
    return found


def test_one_of_many_workers_gets_the_job(
    crowd: Crowd, call: Caller, name: str, sound: Callable[[], bool]
) -> None:
    """A job offered to fifty workers, who all accept."""
    make_queue(call, name, SIZE)
    workers = [f"{name}-{i}" for i in range(SIZE)]
    for worker in workers:
        make_worker(call, worker, name)
    assert call("PATCH", f"/routing/jobs/{name}", {"channelId": "voice", "queueId": name})[0] == 201
    offers = [
        eventually(lambda worker=worker: offers_of(call, worker))[0]["offerId"]  # type: ignore[misc]
        for worker in workers
    ]

    def accept(caller: Caller, number: int) -> tuple[int, Any]:
        return caller("POST", f"/routing/workers/{workers[number]}/offers/{offers[number]}:accept")

    answers = crowd.at_once(accept)
    assert Counter(status for status, _ in answers) == {200: 1, 409: SIZE - 1}
    winner = next(i for i, (status, _) in enumerate(answers) if status == 200)
    for status, body in answers:
        assert status == 200 or body["error"] == body["communicationError"]
    job = call("GET", f"/routing/jobs/{name}")[1]
    assert job["status"] == "assigned"
    assert [held["workerId"] for held in job["assignments"].values()] == [workers[winner]]
    assert list(job["assignments"]) == [answers[winner][1]["assignmentId"]]
    assert all(offers_of(call, worker) == [] for worker in workers)
    assert sound()


def test_one_offer_accepted_by_many(crowd: Crowd, call: Caller, name: str, sound: Callable[[], bool]) -> None:
    """One request id is one request, however often it is sent; another one comes too late."""
    make_queue(call, name, 1)
    make_worker(call, name, name)
    assert call("PATCH", f"/routing/jobs/{name}", {"channelId": "voice", "queueId": name})[0] == 201
    path = f"/routing/workers/{name}/offers/{offers_of(call, name)[0]['offerId']}:accept"
    answers = crowd.at_once(lambda caller, number: caller("POST", path, request_id=f"r{number % 5}"))
    ids = [f"r{number % 5}" for number in range(SIZE)]
    (winner,) = {request_id for request_id, (status, _) in zip(ids, answers, strict=True) if status == 200}
    assert Counter(status for status, _ in answers) == {200: SIZE // 5, 404: SIZE - SIZE // 5}
    bodies = [body for request_id, (_, body) in zip(ids, answers, strict=True) if request_id == winner]
    assert all(body == bodies[0] for body in bodies)
    assert sound()


def test_accepted_or_declined(crowd: Crowd, call: Caller, name: str, sound: Callable[[], bool]) -> None:
    """Half accept and half decline one offer: one of them acts."""
    make_queue(call, name, 1)
    make_worker(call, name, name)
    assert call("PATCH", f"/routing/jobs/{name}", {"channelId": "voice", "queueId": name})[0] == 201
    path = f"/routing/workers/{name}/offers/{offers_of(call, name)[0]['offerId']}"
    actions = ["accept" if number % 2 else "decline" for number in range(SIZE)]
    answers = crowd.at_once(lambda caller, number: caller("POST", f"{path}:{actions[number]}"))
    assert Counter(status for status, _ in answers) == {200: 1, 404: SIZE - 1}
    done = actions[[status for status, _ in answers].index(200)]
    job = call("GET", f"/routing/jobs/{name}")[1]
    assert job["status"] == {"accept": "assigned", "decline": "queued"}[done]
    assert sound()


def test_capacity_is_never_exceeded(crowd: Crowd, call: Caller, name: str, sound: Callable[[], bool]) -> None:
    """Fifty jobs at once for workers who can hold ten."""
    make_queue(call, name, 1)
    for i in range(2):
        make_worker(call, f"{name}-{i}", name, capacity=5)
    body = {"channelId": "voice", "queueId": name}
    answers = crowd.at_once(lambda caller, number: caller("PATCH", f"/routing/jobs/{name}-{number}", body))
    assert {status for status, _ in answers} == {201}
    offered = [offer["jobId"] for i in range(2) for offer in offers_of(call, f"{name}-{i}")]
    assert len(offered) == len(set(offered)) == 10
    assert call("GET", f"/routing/queues/{name}/statistics")[1]["length"] == SIZE
    assert sound()
