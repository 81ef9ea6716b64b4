"""Agents on the official SDK, with its own retries: what they are told is done goes into a ledger."""

from __future__ import annotations

import contextlib
import itertools
import random
import threading
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from azure.communication.jobrouter import JobRouterAdministrationClient, JobRouterClient
from azure.communication.jobrouter import models as m
from azure.core.credentials import AzureKeyCredential
from azure.core.exceptions import HttpResponseError, ServiceRequestError, ServiceResponseError

from tests.chaos.ledger import Ledger
from tests.support import PATIENCE_SECONDS, eventually

QUEUE = "busy"
OFFER_SECONDS = 5
LOOK_SECONDS = 0.05
REPEAT_SECONDS = 0.1
DECLINES = 0.08
IGNORES = 0.04
"""Shares of the offers that are declined, and that are left to run out."""


class Stopped(Exception):
    """The agents are told to end."""


class Refused(Exception):
    """The router has answered that it will not."""


class Agent(threading.Thread):
    """A worker and its program: makes a job, takes an offer, completes, closes; for ever.

    The SDK repeats by itself what it holds to be safe. What it gives up is repeated here with the same
    request id, as long as nobody knows what has become of it.
    """

    def __init__(self, team: Team, name: str, chance: random.Random) -> None:
        super().__init__(daemon=True)
        self.worker = name
        self._team = team
        self._chance = chance
        self._client = JobRouterClient(team.url, AzureKeyCredential(team.key))

    def run(self) -> None:
        try:
            with self._client:
                self._sign_on()
                for number in itertools.count():
                    with contextlib.suppress(Refused):
                        self._cycle(f"{self.worker}-job-{number}")
        except Stopped:
            pass
        except BaseException as error:
            self._team.ledger.unexpected.append(error)

    def _cycle(self, created: str) -> None:
        ledger = self._team.ledger
        self._must(self._client.upsert_job, created, m.RouterJob(channel_id="voice", queue_id=QUEUE))
        ledger.note(created, "created")
        while (accepted := self._offer()) is None:
            pass
        job, assignment = accepted.job_id, accepted.assignment_id
        ledger.note(job, "assigned", assignment)
        self._must(self._client.complete_job, job, assignment)
        ledger.note(job, "completed", assignment)
        self._must(self._client.close_job, job, assignment)
        ledger.note(job, "closed", assignment)

    def _offer(self) -> m.AcceptJobOfferResult | None:
        """What has come of the next offer: nothing unless it was accepted."""
        worker = self._must(self._client.get_worker, self.worker)
        if not worker.available_for_offers:
            self._sign_on()
        elif worker.offers:
            offer = worker.offers[0].offer_id
            die = self._chance.random()
            try:
                if die < DECLINES:
                    self._ask(self._client.decline_job_offer, self.worker, offer)
                    self._team.declined.append(offer)
                elif die < DECLINES + IGNORES:
                    self._wait(OFFER_SECONDS)
                else:
                    return self._ask(self._client.accept_job_offer, self.worker, offer)
            except Refused:
                self._team.refused.append(offer)
        self._wait(LOOK_SECONDS)
        return None

    def _sign_on(self) -> None:
        channel = m.RouterChannel(channel_id="voice", capacity_cost_per_job=1)
        worker = m.RouterWorker(capacity=1, queues=[QUEUE], channels=[channel], available_for_offers=True)
        self._must(self._client.upsert_worker, self.worker, worker)

    def _must(self, operation: Callable[..., Any], *arguments: Any) -> Any:
        """Asks for what nothing may refuse."""
        try:
            return self._ask(operation, *arguments)
        except Refused as refused:
            if self._team.may_lose:
                self._team.forgotten += 1
                raise
            self._team.ledger.unexpected.append(f"{operation.__name__}{arguments[:2]}: {refused}")
            raise Stopped from None

    def _ask(self, operation: Callable[..., Any], *arguments: Any) -> Any:
        request_id, tries = str(uuid.uuid4()), 0

        def answered(_: Any) -> None:
            nonlocal tries
            tries += 1

        while not self._team.stop.is_set():
            tries = 0
            try:
                return operation(*arguments, request_id=request_id, raw_response_hook=answered)
            except HttpResponseError as error:
                if error.status_code is not None and error.status_code < 500:
                    raise Refused(f"{error.status_code} {error.message}") from None
            except (ServiceRequestError, ServiceResponseError):
                pass
            finally:
                self._team.repeated_by_sdk += max(0, tries - 1)
            self._team.ledger.interrupted += 1
            self._wait(REPEAT_SECONDS)
        raise Stopped

    def _wait(self, seconds: float) -> None:
        if self._team.stop.wait(seconds):
            raise Stopped


class Team:
    """Some agents, what they were told is done, and which offers they were refused.

    ``repeated_by_sdk`` counts answers upon which the SDK has tried again by itself.
    ``may_lose``: the store may forget what it has acknowledged, so work on it may be refused: ``forgotten``
    counts that, and such a job is given up.
    """

    def __init__(self, url: str, key: str, *, may_lose: bool = False) -> None:
        self.may_lose = may_lose
        self.forgotten = 0
        self.url = url
        self.key = key
        self.ledger = Ledger()
        self.declined: list[str] = []
        self.refused: list[str] = []
        self.repeated_by_sdk = 0
        self.stop = threading.Event()
        self.agents: list[Agent] = []

    def set_up(self, chance: random.Random, size: int) -> None:
        """Makes the queue and starts the agents."""
        with JobRouterAdministrationClient(self.url, AzureKeyCredential(self.key)) as administration:
            policy = m.DistributionPolicy(offer_expires_after_seconds=OFFER_SECONDS, mode=m.LongestIdleMode())
            administration.upsert_distribution_policy(QUEUE, policy)
            administration.upsert_queue(QUEUE, m.RouterQueue(distribution_policy_id=QUEUE))
        for number in range(size):
            own = random.Random(chance.random())
            self.agents.append(Agent(self, f"agent-{number}", own))
            self.agents[-1].start()

    def goes_on(self, cycles: int) -> None:
        """Waits until so many more life cycles are complete."""
        aim = self.ledger.closed() + cycles
        what = f"{cycles} life cycles; {self.ledger.unexpected[:3]}"
        eventually(lambda: self.ledger.closed() >= aim, what, 4 * PATIENCE_SECONDS)


@contextmanager
def at_work(
    url: str, key: str, chance: random.Random, size: int, *, may_lose: bool = False
) -> Iterator[Team]:
    """A team at work; a few life cycles are complete when the block begins, and it rests after it."""
    team = Team(url, key, may_lose=may_lose)
    team.set_up(chance, size)
    try:
        team.goes_on(size)
        yield team
    finally:
        team.stop.set()
        for agent in team.agents:
            agent.join(4 * PATIENCE_SECONDS)
    if any(agent.is_alive() for agent in team.agents):
        team.ledger.unexpected.append("an agent has not come to its end")
