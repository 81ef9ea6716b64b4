"""No notifications, or a subscription cut every second: nothing is lost, little is late.

Timers of three kinds (offers that expire, jobs with a schedule, assignments that close later) are set in
small rounds; then nobody writes, since every write does what is due as well. How late each was is told by the
clock of the store alone: from when it was due to the time of its event.
"""

from __future__ import annotations

import contextlib
import random
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

from bench.load.percentiles import at
from tests import support
from tests.chaos.figures import Figures
from tests.chaos.proofs import Options
from tests.chaos.site import KEY, site
from tests.chaos.sleeper import Sleeper
from tests.chaos.soundness import unsound
from tests.faults import verify
from tests.faults.traffic import VOICE
from tests.signed import Caller

ROUNDS, QUICK_ROUNDS = 25, 1
OF_EACH = 10
SHORTEST, LONGEST = 0.2, 1.5
"""Seconds until a timer is due; an offer lasts a second at least."""

CUT_SECONDS = 1.0
PATIENCE_SECONDS = 10.0
NOTIFIED_MS, UNNOTIFIED_MS = 50.0, 1_100.0

ISSUED = "RouterWorkerOfferIssued"
EXPIRED, ACTIVATED, CLOSED = "RouterWorkerOfferExpired", "RouterJobWaitingForActivation", "RouterJobClosed"


class Timers:
    """Sets timers and reads from the log when each was done."""

    def __init__(self, call: Caller, chance: random.Random) -> None:
        self.wanted: set[tuple[str, str]] = set()
        """Kind and job of each."""
        self.due: dict[tuple[str, str], float] = {}
        """When each is due, in seconds of the epoch; of offers the log tells it."""
        self.done: dict[tuple[str, str], list[float]] = {}
        """When it was done: once, it is to be hoped."""
        self._call = call
        self._chance = chance
        self._after = ""

    def prepare(self) -> None:
        """A queue for jobs that are offered to nobody."""
        self._made(
            "distributionPolicies/p", {"offerExpiresAfterSeconds": 3600, "mode": {"kind": "longestIdle"}}
        )
        self._made("queues/q", {"distributionPolicyId": "p"})

    def set(self, number: int) -> None:
        """One round."""
        for index in range(OF_EACH):
            name = f"{number}-{index}"
            self._expiring(f"e-{name}", self._chance.uniform(1.0, LONGEST))
            self._closing(f"c-{name}")
            self._scheduled(f"s-{name}")

    def wait(self) -> None:
        """Until all are done, or patience is at its end."""
        deadline = time.monotonic() + LONGEST + PATIENCE_SECONDS
        while len(self.done) < len(self.wanted) and time.monotonic() < deadline:
            time.sleep(0.05)
            self._read()

    def lateness_ms(self) -> list[float]:
        """Of all that were done, ascending."""
        return sorted((times[0] - self.due[what]) * 1000 for what, times in self.done.items())

    def wrong(self) -> list[str]:
        """Timers that were not done once, or too early."""
        missing = [f"{kind} of {job} is missing" for kind, job in self.wanted - self.done.keys()]
        twice = [f"{what}: {len(times)} times" for what, times in self.done.items() if len(times) > 1]
        early = [f"{what}: early" for what, times in self.done.items() if times[0] < self.due[what]]
        return missing + twice + early

    def _expiring(self, name: str, seconds: float) -> None:
        self._made(
            f"distributionPolicies/{name}",
            {"offerExpiresAfterSeconds": round(seconds, 3), "mode": {"kind": "longestIdle"}},
        )
        self._made(f"queues/{name}", {"distributionPolicyId": name})
        self.wanted.add((EXPIRED, name))
        self._offer(name)

    def _closing(self, name: str) -> None:
        self._made(f"queues/{name}", {"distributionPolicyId": "p"})
        self._offer(name)
        (offer,) = self._done("GET", f"workers/{name}")["offers"]
        accepted = self._done("POST", f"workers/{name}/offers/{offer['offerId']}:accept")
        assignment = f"jobs/{name}/assignments/{accepted['assignmentId']}"
        self._done("POST", f"{assignment}:complete")
        due = self._soon()
        self._done("POST", f"{assignment}:close", {"closeAt": due})
        self._plan(CLOSED, name, due)

    def _scheduled(self, name: str) -> None:
        due = self._soon()
        mode = {"kind": "scheduleAndSuspend", "scheduleAt": due}
        self._made(f"jobs/{name}", {"channelId": "voice", "queueId": "q", "matchingMode": mode})
        self._plan(ACTIVATED, name, due)

    def _offer(self, name: str) -> None:
        """A worker and a job that is offered to it; the queue is there."""
        worker = {"capacity": 1, "queues": [name], "channels": VOICE, "availableForOffers": True}
        self._made(f"workers/{name}", worker)
        self._made(f"jobs/{name}", {"channelId": "voice", "queueId": name})

    def _plan(self, kind: str, job: str, due: str) -> None:
        self.wanted.add((kind, job))
        self.due[kind, job] = verify.seconds(due)

    def _soon(self) -> str:
        due = time.time() + self._chance.uniform(SHORTEST, LONGEST)
        return datetime.fromtimestamp(due, UTC).isoformat(timespec="milliseconds")

    def _made(self, path: str, body: Any) -> None:
        self._done("PATCH", path, body)

    def _done(self, method: str, path: str, body: Any = None) -> Any:
        status, answer = self._call(method, f"/routing/{path}", body)
        if status not in (200, 201):
            raise RuntimeError(f"{method} {path}: {status} {answer}")
        return answer

    def _read(self) -> None:
        while True:
            status, page = self._call("GET", f"/ext/v1/events?limit=500{self._after}")
            if status != 200:
                raise RuntimeError(f"events: {status} {page}")
            for entry in page["value"]:
                for event in entry["events"]:
                    kind, job = verify.kind_of(event), event["data"].get("jobId", "")
                    what = kind, job
                    if kind == ISSUED and (EXPIRED, job) in self.wanted:
                        self._plan(EXPIRED, job, event["data"]["expiresOn"])
                    if what in self.wanted:
                        self.done.setdefault(what, []).append(verify.seconds(event["eventTime"]))
                self._after = f"&after={entry['id']}"
            if len(page["value"]) < 500:
                return


def prove(options: Options) -> Figures:
    """Runs it: without notifications, with cuts, and, to compare, undisturbed."""
    figures = Figures()
    _phase(figures, options, "notifications off", "", False, UNNOTIFIED_MS)
    _phase(figures, options, "subscription cut every second", "K$x", True, UNNOTIFIED_MS)
    if not options.quick:
        _phase(figures, options, "notified", "K$x", False, NOTIFIED_MS)
    return figures


def _phase(figures: Figures, options: Options, name: str, flags: str, cut: bool, most: float) -> None:
    with contextlib.ExitStack() as stack:
        server = stack.enter_context(support.server(options.program, notify_keyspace_events=flags))
        here = stack.enter_context(
            site([server.url], [server.url], JOBROUTER_NOTIFICATIONS="yes" if flags else "no")
        )
        call = stack.enter_context(contextlib.closing(Caller(f"http://127.0.0.1:{here.ports[0]}", KEY)))
        timers = Timers(call, options.chance(name))
        timers.prepare()
        cuts = stack.enter_context(_cut_subscriptions(server)) if cut else None
        with Sleeper() as sleeper:
            for number in range(options.times(ROUNDS, QUICK_ROUNDS)):
                timers.set(number)
                timers.wait()
        late = timers.lateness_ms()
        counts = Counter(kind for kind, _ in timers.done)
        figures.at_least(f"{name}: timers", len(late), len(timers.wanted))
        figures.tell(f"{name}: expired, activated, closed", "{} {} {}".format(*_in_order(counts)))
        if cuts is not None:
            figures.at_least(f"{name}: subscriptions cut", sum(cuts), 1)
        figures.none(f"{name}: timers lost, doubled or early", timers.wrong())
        machine = at(sleeper.late_ms, 99)
        figures.tell(f"{name}: late by ms, p99 of a process that only sleeps", machine)
        figures.tell(f"{name}: late by ms, p50", at(late, 50))
        if options.quick:
            figures.tell(f"{name}: late by ms, p99", at(late, 99))
        else:
            figures.at_most(f"{name}: late by ms, p99", at(late, 99), most + machine)
        figures.tell(f"{name}: late by ms, most", late[-1])
        figures.none(f"{name}: parts that have ended", here.ended())
        figures.none(f"{name}: invariants violated", unsound(server.url, "main"))


def _in_order(counts: Counter[str]) -> Sequence[int]:
    return [counts[kind] for kind in (EXPIRED, ACTIVATED, CLOSED)]


@contextlib.contextmanager
def _cut_subscriptions(server: support.Server) -> Iterator[list[int]]:
    """Ends all connections of subscribers every second; how many, each time."""
    cuts: list[int] = []
    stop = threading.Event()

    def cut() -> None:
        with contextlib.closing(server.client()) as client:
            while True:
                cuts.append(int(client.execute_command("CLIENT", "KILL", "TYPE", "pubsub")))  # type: ignore[no-untyped-call]
                if stop.wait(CUT_SECONDS):
                    return

    thread = threading.Thread(target=cut, daemon=True)
    thread.start()
    try:
        yield cuts
    finally:
        stop.set()
        thread.join(PATIENCE_SECONDS)
