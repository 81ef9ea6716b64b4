"""Failovers of a cluster: what was answered is kept where replicas are waited for; service is soon back.

Routers on all primaries of a cluster, with a replica each: primaries are killed, stopped, replaced by hand.
A killed one is started again when its replica has taken over, as whoever runs it would. Once without
``--wait-replicas``, where what was answered may be lost, which is counted; once with it.
"""

from __future__ import annotations

import bisect
import contextlib
import functools
import threading
import time
from base64 import b64encode
from collections.abc import Iterator
from http.client import HTTPException
from itertools import count, pairwise
from statistics import median
from typing import Any

from engine.store import root_of
from tests import nodes, support
from tests.chaos.figures import Figures
from tests.chaos.proofs import Options
from tests.chaos.soundness import unsound
from tests.runtime.processes import jobrouter
from tests.signed import Caller

TENANTS = 30
FAILOVERS = 30
KINDS = ("stand_still", "by hand", "kill")
BOUND_SECONDS = nodes.NODE_TIMEOUT_MS / 1000 + 3
"""How long a failover may keep a router from answering."""

Outages = dict[str, dict[str, list[float]]]
"""Seconds, by what was done and by what was asked for."""

_KEY = b64encode(support.KEY).decode()
_PAUSE_SECONDS = 0.01


class Agent(threading.Thread):
    """Two clients of a router, one makes jobs and cancels them, one reads; writes down what was answered."""

    def __init__(self, tenant: str, port: int) -> None:
        super().__init__(daemon=True)
        self.tenant = tenant
        self.made: set[str] = set()
        self.cancelled: set[str] = set()
        self.answered: dict[str, list[float]] = {"write": [], "read": []}
        """When requests of a kind were answered."""
        self.unexpected: list[str] = []
        self._calls = {kind: Caller(f"http://127.0.0.1:{port}", _KEY) for kind in self.answered}
        for call in self._calls.values():
            call.host = f"{tenant}.localhost:{port}"
        self._end = threading.Event()

    def run(self) -> None:
        # reads have no part in what holds up writes
        reader = threading.Thread(target=self._read_on, daemon=True)
        reader.start()
        for number in count():
            if self._end.is_set():
                break
            job = f"job-{number}"
            path = f"/routing/jobs/{job}"
            if self._ask("write", "PATCH", path, {"channelId": "voice", "queueId": "q"}):
                self.made.add(job)
            if number % 2 and self._ask("write", "POST", f"{path}:cancel", {}, job):
                self.cancelled.add(job)
            self._end.wait(_PAUSE_SECONDS)
        reader.join()
        self._close()

    def _read_on(self) -> None:
        while not self._end.wait(_PAUSE_SECONDS):
            self._ask("read", "GET", "/routing/queues/q")

    def _close(self) -> None:
        for call in self._calls.values():
            call.close()

    def set_up(self) -> None:
        """A queue without workers."""
        policy = {"offerExpiresAfterSeconds": 600, "mode": {"kind": "longestIdle"}}
        self.done("/routing/distributionPolicies/p", policy)
        self.done("/routing/queues/q", {"distributionPolicyId": "p"})

    def done(self, path: str, body: Any) -> None:
        """A request that is repeated until it succeeds."""
        support.eventually(lambda: self._ask("write", "PATCH", path, body), path, 60)

    def stop(self) -> None:
        """Ends it after its request."""
        self._end.set()
        self.join(60)

    def outage(self, kind: str, begun: float) -> float:
        """The longest time without an answer that ended after a moment."""
        times = self.answered[kind]
        first = max(0, bisect.bisect(times, begun) - 1)
        return max((after - before for before, after in pairwise(times[first:])), default=0.0)

    def lost(self) -> Iterator[str]:
        """What was answered and is not so."""
        for job in sorted(self.made):
            read: list[tuple[int, Any]] = []
            support.eventually(lambda job=job, read=read: self._read(job, read), job, 60)  # type: ignore[misc]
            status, found = read[-1]
            if status == 404:
                yield f"{self.tenant}: {job} was made"
                if job in self.cancelled:
                    yield f"{self.tenant}: {job} was cancelled"
            elif job in self.cancelled and found["status"] != "cancelled":
                yield f"{self.tenant}: {job} was cancelled, and is {found['status']}"
        self._close()

    def _read(self, job: str, read: list[tuple[int, Any]]) -> bool:
        read.append(self._calls["read"]("GET", f"/routing/jobs/{job}"))
        return read[-1][0] in (200, 404)

    def _ask(self, kind: str, method: str, path: str, body: Any = None, key: str = "") -> bool:
        """Whether it was answered. Of a job that was not answered, or is lost, nothing is expected."""
        try:
            status, answer = self._calls[kind](method, path, body, key)
        except (OSError, HTTPException) as error:
            self.unexpected.append(f"{self.tenant}: {method} {path}: {error!r}")
            return False
        if status < 300:
            self.answered[kind].append(time.monotonic())
        elif status not in (404, 503):
            self.unexpected.append(f"{self.tenant}: {method} {path}: {status} {answer}")
        return status < 300


def prove(options: Options) -> Figures:
    """Two runs on one cluster: without waiting for replicas, and with it."""
    figures = Figures()
    names = [f"router-{number}" for number in range(options.times(TENANTS, 6))]
    with nodes.cluster(options.program) as cluster:
        for replicas in (0, 1):
            figures.part(f"--wait-replicas {replicas}")
            tenants = [f"{name}-{replicas}" for name in names]
            with _agents(cluster, tenants, replicas) as agents:
                outages = _fail_over(cluster, agents, options, replicas)
                for agent in agents:
                    agent.stop()
                lost = [one for agent in agents for one in agent.lost()]
            _tell(figures, agents, lost, outages, replicas)
            if not options.quick:
                _promise(figures, outages, replicas)
            wrong = [f"{one}: {found}" for one in tenants for found in unsound(cluster.url, one)]
            figures.none("invariants violated", wrong)
    return figures


def _tell(figures: Figures, agents: list[Agent], lost: list[str], outages: Outages, replicas: int) -> None:
    figures.tell("routers", len(agents))
    figures.tell("requests answered", sum(len(times) for one in agents for times in one.answered.values()))
    if replicas:
        figures.none("answered and lost", lost)
    else:
        figures.tell("answered and lost", len(lost))
    figures.none("answers that should not be", [one for agent in agents for one in agent.unexpected])
    for kind, found in outages.items():
        for what, seconds in found.items():
            times = f"{len(seconds)} times {kind}: outage of {what}s"
            figures.tell(f"{times}, median (s)", median(seconds))
            figures.tell(f"{times}, longest (s)", max(seconds))


def _promise(figures: Figures, outages: Outages, replicas: int) -> None:
    # a write that waits for a replica also waits until the killed server is back as one
    for what in ("read",) if replicas else ("read", "write"):
        longest = max(seconds for found in outages.values() for seconds in found[what])
        figures.at_most(f"outage of {what}s, longest (s)", longest, BOUND_SECONDS)


@contextlib.contextmanager
def _agents(cluster: nodes.Cluster, tenants: list[str], replicas: int) -> Iterator[list[Agent]]:
    """One agent a tenant, at work at an API beside a worker; all checks are over before these end."""
    keys = ";".join(f"{tenant}={_KEY}" for tenant in tenants)
    where = ("--redis-url", cluster.url)
    waits = ("--wait-replicas", str(replicas))
    with (
        jobrouter("api", "--port", "0", *where, *waits, JOBROUTER_ACCESS_KEYS=keys) as api,
        jobrouter("worker", *where, "--tenants", ",".join(tenants)) as worker,
    ):
        api.wait_for("^ready")
        worker.wait_for("^working")
        agents = [Agent(tenant, api.port) for tenant in tenants]
        for agent in agents:
            agent.set_up()
            agent.start()
        try:
            yield agents
        finally:
            for agent in agents:
                agent.stop()


def _fail_over(cluster: nodes.Cluster, agents: list[Agent], options: Options, replicas: int) -> Outages:
    chance = options.chance(f"failovers {replicas}")
    kinds = [KINDS[(number - replicas) % len(KINDS)] for number in range(options.times(FAILOVERS, 1))]
    chance.shuffle(kinds)
    outages: Outages = {kind: {"write": [], "read": []} for kind in kinds}
    for kind in kinds:
        old = cluster.primary_of(root_of(chance.choice(agents).tenant))
        hit = [agent for agent in agents if cluster.primary_of(root_of(agent.tenant)) is old]
        begun = time.monotonic()
        _end(cluster, old, kind)
        root = root_of(hit[0].tenant)
        support.eventually(functools.partial(_is_replaced, cluster, root, old), kind, 60)
        # without a replica, no write is answered that waits for one
        cluster.mend()
        for what, found in outages[kind].items():
            mended = time.monotonic()
            support.eventually(functools.partial(_all_answered, hit, what, mended), what, 60)
            found.append(max(agent.outage(what, begun) for agent in hit))
    return outages


def _end(cluster: nodes.Cluster, old: nodes.Node, kind: str) -> None:
    if kind == "kill":
        old.kill()
    elif kind == "stand_still":
        old.stand_still()
    else:
        # a busy machine makes it look lost for a moment
        (replica,) = support.eventually(lambda: cluster.replicas_of(old), "a replica", 60)
        replica.do("CLUSTER", "FAILOVER")


def _is_replaced(cluster: nodes.Cluster, root: str, old: nodes.Node) -> bool:
    return cluster.primary_of(root) is not old


def _all_answered(agents: list[Agent], what: str, since: float) -> bool:
    return all(one.answered[what][-1:] > [since] for one in agents)
