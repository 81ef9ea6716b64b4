"""The long poll of a worker for its next offer, on a router that is really served."""

from __future__ import annotations

import contextlib
import http.client
from base64 import b64decode
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.events.conftest import Site, serving
from tests.signed import Caller, sign
from tests.support import eventually

JOBS = 100


class Poller:
    """A worker's application: it asks again and again with the cursor of the last answer."""

    def __init__(self, site: Site, worker_id: str) -> None:
        self._call = Caller(site.served.url, site.served.key)
        self._path = f"/ext/v1/workers/{worker_id}/offers/next"
        self.after = ""

    def __call__(self, wait: int = 15) -> list[Any]:
        """The next offers."""
        status, answer = self._call("GET", f"{self._path}?wait={wait}&after={self.after}")
        assert status == 200, answer
        self.after = answer["next"]
        offers: list[Any] = answer["value"]
        return offers

    def jobs(self, wait: int = 15) -> list[str]:
        """The jobs of the next offers."""
        return [offer["jobId"] for offer in self(wait)]

    def close(self) -> None:
        self._call.close()


@pytest.fixture
def worker(site: Site, request: pytest.FixtureRequest) -> Iterator[str]:
    """A worker for two jobs, alone on a queue of its own, which has the same id."""
    name = f"worker-{abs(hash(request.node.name))}"
    site.done("PATCH", f"/routing/queues/{name}", {"distributionPolicyId": "p"})
    site.worker(name, capacity=2, queues=[name])
    yield name
    site.worker(name, capacity=2, queues=[name], availableForOffers=False)


@pytest.fixture
def poll(site: Site, worker: str) -> Iterator[Poller]:
    with closing(Poller(site, worker)) as it:
        yield it


def test_an_open_offer_comes_at_once(site: Site, worker: str, poll: Poller) -> None:
    job = site.job(queueId=worker)
    shown = site.done("GET", f"/routing/workers/{worker}")["offers"][0]
    assert poll() == [{**shown, "queueId": worker, "channelId": "voice"}]
    assert shown["jobId"] == job
    assert poll(wait=0) == []


def test_an_offer_comes_while_it_waits(site: Site, worker: str, poll: Poller) -> None:
    with ThreadPoolExecutor() as pool:
        waiting = pool.submit(poll.jobs)
        eventually(site.readers)
        job = site.job(queueId=worker)
        assert waiting.result() == [job]


def test_nothing_comes(site: Site, poll: Poller) -> None:
    assert poll(wait=0) == []
    assert poll(wait=1) == []


def test_offers_come_once_and_oldest_first(site: Site, worker: str, poll: Poller) -> None:
    first, second = site.job(queueId=worker), site.job(queueId=worker)
    assert poll.jobs() == [first, second]
    third = site.job(queueId=worker)
    assert poll.jobs(wait=0) == []
    site.cancel(first)
    assert poll.jobs() == [third]
    # without a cursor it begins anew
    poll.after = ""
    assert sorted(poll.jobs()) == sorted([second, third])


def test_a_job_that_is_offered_again_comes_again(site: Site, worker: str, poll: Poller) -> None:
    job = site.job(queueId=worker)
    [first] = poll()
    accepted = site.done("POST", f"/routing/workers/{worker}/offers/{first['offerId']}:accept")
    site.done("POST", f"/routing/jobs/{job}/assignments/{accepted['assignmentId']}:unassign", {})
    [second] = poll()
    assert second["jobId"] == job
    assert second["offerId"] != first["offerId"]


def test_what_has_ended_is_not_given(site: Site, worker: str, poll: Poller) -> None:
    declined, revoked = site.job(queueId=worker), site.job(queueId=worker)
    offers = site.done("GET", f"/routing/workers/{worker}")["offers"]
    ids = {offer["jobId"]: offer["offerId"] for offer in offers}
    site.done("POST", f"/routing/workers/{worker}/offers/{ids[declined]}:decline", {})
    site.cancel(revoked)
    assert poll(wait=0) == []


def test_what_has_run_out_is_not_given_before_anybody_noticed(server_program: Path) -> None:
    with serving(server_program, works=False) as site:
        policy = {"offerExpiresAfterSeconds": 1, "mode": {"kind": "longestIdle"}}
        site.done("PATCH", "/routing/distributionPolicies/p", policy)
        site.worker("w")
        site.job()
        with closing(Poller(site, "w")) as poll:

            def is_hidden() -> bool:
                poll.after = ""
                return poll(wait=0) == []

            eventually(is_hidden)
        # nobody has swept: it is still there
        assert len(site.done("GET", "/routing/workers/w")["offers"]) == 1


def test_a_loop_gets_every_offer_once_while_jobs_are_made(site: Site, worker: str, poll: Poller) -> None:
    got: list[str] = []
    with ThreadPoolExecutor() as pool:
        made = pool.submit(lambda: [site.job(queueId=worker) for _ in range(JOBS)])
        with closing(Caller(site.served.url, site.served.key)) as call:
            while len(got) < JOBS:
                for offer in poll():
                    job, offer_id = offer["jobId"], offer["offerId"]
                    got.append(job)
                    _, accepted = call("POST", f"/routing/workers/{worker}/offers/{offer_id}:accept")
                    path = f"/routing/jobs/{job}/assignments/{accepted['assignmentId']}"
                    assert call("POST", f"{path}:complete", {})[0] == 200
                    assert call("POST", f"{path}:close", {})[0] == 200
        assert got == made.result()
    assert poll(wait=0) == []


def test_several_workers_wait(site: Site, worker: str) -> None:
    names = [f"{worker}-{i}" for i in range(8)]
    for name in names:
        site.worker(name, queues=[worker])
    site.worker(worker, queues=[worker], availableForOffers=False)
    with ThreadPoolExecutor() as pool, contextlib.ExitStack() as stack:
        pollers = [stack.enter_context(closing(Poller(site, name))) for name in names]
        waiting = [pool.submit(poll.jobs) for poll in pollers]
        eventually(site.readers)
        jobs = {site.job(queueId=worker) for _ in names}
        assert {job for one in waiting for job in one.result()} == jobs
    for name in names:
        site.worker(name, queues=[worker], availableForOffers=False)


@pytest.mark.parametrize("wait", [0, 1])
def test_an_unknown_worker(site: Site, wait: int) -> None:
    status, answer = site.call("GET", f"/ext/v1/workers/nobody/offers/next?wait={wait}")
    assert status == 404
    assert answer["error"]["code"] == "NotFound"
    site.nobody_reads()


@pytest.mark.parametrize("query", ["wait=61", "wait=-1", "wait=x", "wait=1.5", "after=5-0", "after=abc"])
def test_bad_queries(site: Site, worker: str, query: str) -> None:
    status, answer = site.call("GET", f"/ext/v1/workers/{worker}/offers/next?{query}")
    assert status == 400
    assert query.partition("=")[0] in answer["error"]["message"]


def test_an_offer_that_is_called_next_is_no_offer(site: Site, worker: str) -> None:
    assert site.call("GET", f"/ext/v1/workers/{worker}/offers/other")[0] == 404
    assert site.call("POST", f"/ext/v1/workers/{worker}/offers/next", {})[0] == 405


def test_a_worker_that_goes_away_frees_all(site: Site, worker: str) -> None:
    host = site.served.url.removeprefix("http://")
    target = f"/ext/v1/workers/{worker}/offers/next?wait=60"
    site.nobody_reads()
    with closing(http.client.HTTPConnection(host, timeout=15)) as connection:
        headers = sign("GET", target, b"", host=host, key=b64decode(site.served.key))
        connection.request("GET", target, headers=headers)
        eventually(site.readers)
    site.nobody_reads()
