"""The users of the load, for Locust: submitters, agents and supervisors, who sign as the official SDKs do.

Closed loop: each user waits for an answer before the next request. ``make load`` runs it, with a plan.
"""

from __future__ import annotations

import itertools
import random
import time
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import urlsplit

import gevent
import msgspec
from gevent.pool import Pool
from locust import FastHttpUser, constant, constant_pacing, events, task
from locust.exception import StopUser

from bench.http import signed
from bench.load import calls
from bench.load.calls import Call
from bench.load.percentiles import Summary
from bench.load.plan import Figures, given

PLAN = given()
SCENARIO = PLAN.scenario
WAIT_SECONDS = 10
SETTING_UP = 16
"""Requests at a time while the world is made."""

_targets = itertools.cycle(PLAN.targets)
_numbers = itertools.count()
_agents = itertools.count()
_created: dict[str, float] = {}
"""Jobs without an offer yet, to the time of their request."""
_last_job = ""


class _Recorder:
    """Exact times of everything while all users are there."""

    def __init__(self) -> None:
        self.times: dict[str, list[float]] = {}
        self.failures: dict[str, int] = {}
        self.began = self.ended = 0.0
        self.runner: Any = None
        self.waiting = 0

    def begin(self, **_: Any) -> None:
        """All users are there: the time of the run begins."""
        self.began = time.perf_counter()
        gevent.spawn_later(PLAN.seconds, self.runner.quit)

    def end(self, **_: Any) -> None:
        if not self.ended:
            self.ended, self.waiting = time.perf_counter(), len(_created)

    def note(self, name: str, response_time: float, exception: Exception | None, **_: Any) -> None:
        if not self.began or self.ended:
            return
        times = self.times.setdefault(name, [])
        if exception:
            self.failures[name] = self.failures.get(name, 0) + 1
        else:
            times.append(response_time)

    def write(self, **_: Any) -> None:
        found = {name: Summary.of(times, self.failures.get(name, 0)) for name, times in self.times.items()}
        figures = Figures(self.ended - self.began, found, self.waiting)
        Path(PLAN.figures).write_bytes(msgspec.json.encode(figures))


_recorder = _Recorder()
events.spawning_complete.add_listener(_recorder.begin)
events.request.add_listener(_recorder.note)
events.test_stopping.add_listener(_recorder.end)
if PLAN.figures:
    events.quitting.add_listener(_recorder.write)


class _User(FastHttpUser):
    """One signing client with a connection of its own; with several targets they take turns."""

    abstract = True
    host = PLAN.targets[0]

    def __init__(self, environment: Any) -> None:
        self.host = next(_targets)
        super().__init__(environment)
        self._signed_host = urlsplit(self.host).netloc

    def ask(self, call: Call, *, lost: str = "") -> dict[str, Any] | None:
        """The answer, or None; with ``lost`` it may have come too late, and is counted under that name."""
        headers = signed(call.method, call.target, self._signed_host, call.body, PLAN.key)
        with self.client.request(
            call.method, call.target, call.name, call.body, catch_response=True, headers=headers
        ) as response:
            if response.status_code in call.wanted:
                response.success()
                answer: dict[str, Any] = response.json()
                return answer
            if lost and response.status_code in calls.LOST:
                response.request_meta["name"] = lost
                response.success()
            else:
                response.failure(f"{response.status_code}: {(response.text or '')[:200]}")
        return None


class _Maker(_User):
    """Makes the world; it is never spawned."""

    abstract = True

    def make(self, call: Call) -> None:
        if self.ask(call) is None:
            raise RuntimeError(f"the world could not be made: {call.method} {call.target}")


@events.init.add_listener
def _make_world(environment: Any, runner: Any, **_: Any) -> None:
    _recorder.runner = runner
    maker = _Maker(environment)
    for call in SCENARIO.rules():
        maker.make(call)
    pool = Pool(SETTING_UP)
    for _ in pool.imap_unordered(maker.make, SCENARIO.population()):
        pass


class Submitter(_User):
    """Creates jobs, evenly or in bursts."""

    fixed_count = SCENARIO.submitters
    wait_time = constant_pacing(SCENARIO.burst_seconds or SCENARIO.submitters / SCENARIO.jobs)
    jobs_a_turn: ClassVar[int] = round(SCENARIO.jobs * SCENARIO.burst_seconds / SCENARIO.submitters) or 1

    def on_start(self) -> None:
        """Without bursts, no two submitters keep step."""
        if not SCENARIO.burst_seconds:
            gevent.sleep(random.random() * SCENARIO.submitters / SCENARIO.jobs)

    @task
    def submit(self) -> None:
        """The jobs of one turn, one after the other."""
        global _last_job
        for _ in range(self.jobs_a_turn):
            number = next(_numbers)
            job = f"{SCENARIO.queue}-{number}"
            _created[job] = time.perf_counter()
            skill = SCENARIO.skill(random.randrange(SCENARIO.agents))
            if self.ask(calls.create(job, SCENARIO.queue, number, skill)) is None:
                _created.pop(job, None)
            _last_job = job


class Agent(_User):
    """Waits for offers and takes them through; some are declined, some left to run out."""

    fixed_count = SCENARIO.agents
    wait_time = constant(0)

    def on_start(self) -> None:
        """Signs on as a worker."""
        number = next(_agents)
        self.worker = f"{SCENARIO.queue}-agent-{number}"
        self.skill = SCENARIO.skill(number)
        self.after = ""
        if self._sign_on() is None:
            raise StopUser

    def _sign_on(self) -> dict[str, Any] | None:
        return self.ask(calls.sign_on(self.worker, SCENARIO.queue, self.skill))

    @task
    def work(self) -> None:
        """The next offers; where none came, the worker may have been signed off for one that ran out."""
        answer = self.ask(calls.next_offer(self.worker, self.after, WAIT_SECONDS))
        if answer is None:
            gevent.sleep(0.1)
            return
        self.after = answer["next"]
        if not answer["value"]:
            self._sign_on()
        for offer in answer["value"]:
            self._got(offer["jobId"])
            self._answer(offer["offerId"], offer["jobId"])

    def _got(self, job: str) -> None:
        """The first offer of a job ends its wait."""
        if created := _created.pop(job, None):
            self.environment.events.request.fire(
                request_type="",
                name=calls.TIME_TO_OFFER,
                response_time=(time.perf_counter() - created) * 1000,
                response_length=0,
                exception=None,
                context={},
            )

    def _answer(self, offer: str, job: str) -> None:
        chance = random.random()
        if chance < SCENARIO.declines:
            self.ask(calls.decline(self.worker, offer), lost="decline, too late")
        elif chance < SCENARIO.declines + SCENARIO.expires:
            # it runs out, the worker is signed off, and comes back
            gevent.sleep(SCENARIO.offer_seconds + 0.5)
            self._sign_on()
        elif accepted := self.ask(calls.accept(self.worker, offer), lost="accept, too late"):
            assignment = accepted["assignmentId"]
            self.ask(calls.complete(job, assignment))
            self.ask(calls.close(job, assignment))


class Supervisor(_User):
    """Looks at lists, statistics and explanations."""

    fixed_count = SCENARIO.supervisors
    wait_time = constant(0.2)

    @task
    def look(self) -> None:
        """One view after the other."""
        job = f"{SCENARIO.queue}-waiting-0" if SCENARIO.backlog else _last_job
        for call in calls.views(SCENARIO.queue, f"{SCENARIO.queue}-agent-0", job):
            # the job or the worker may not be there yet
            self.ask(call, lost=f"{call.name}, not there")
            gevent.sleep(0.05)
