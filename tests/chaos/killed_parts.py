"""Kill -9 of API replicas and workers under signed load by the official SDK, behind HAProxy.

Two replicas and two workers; a victim is started again at once, and the next blow does not wait until it is
ready, so that now and then both of a kind are gone. Agents on the SDK live on with its own retries; a
listener follows the stream of events through it all. In a second router nobody calls: offers run out there,
which only the workers end. How late they are is compared with a process that only sleeps.
"""

from __future__ import annotations

import tempfile
import time
from base64 import b64encode
from collections.abc import Sequence
from pathlib import Path

from bench.load import balancer, percentiles
from bench.load.stack import Size, Stack, stack
from engine.store import root_of
from tests import support
from tests.chaos.agents import Team, at_work
from tests.chaos.attendance import Attendance
from tests.chaos.event_log import EventLog
from tests.chaos.figures import Figures
from tests.chaos.follower import Follower
from tests.chaos.kept import judge
from tests.chaos.planner import Blow, blows
from tests.chaos.proofs import Missing, Options
from tests.chaos.sleeper import Sleeper
from tests.chaos.soundness import unsound
from tests.chaos.timers import are_over, lateness, set_timers, unended
from tests.support import SyncStore, eventually

QUIET = "quiet"
AGENTS = 6
TIMERS_A_SECOND = 10
LATE_MS = 50
REPLICAS = ["api-1", "api-2"]
WORKERS = ["worker-1", "worker-2"]


def prove(options: Options) -> Figures:
    if balancer.program() is None:
        raise Missing(balancer.MISSING.partition(" Or ")[0])
    figures = Figures()
    each = dict.fromkeys([*REPLICAS, *WORKERS], options.times(10, 1))
    plan = blows(options.chance("plan"), each, 0.3, 1.0 if options.quick else 3.0)
    seconds = max(2.0, sum(blow.pause for blow in plan))
    with (
        support.server(options.program, appendonly="yes") as server,
        server.client() as client,
        tempfile.TemporaryDirectory(prefix="jr") as folder,
        stack(Size(len(REPLICAS), len(WORKERS), server.url, more_tenants=(QUIET,)), Path(folder)) as running,
        Attendance(Path(folder), WORKERS) as attendance,
    ):
        store, roots = SyncStore(client), [root_of(running.tenant), root_of(QUIET)]
        url, key = running.targets[0], b64encode(running.key).decode()
        set_timers(store, roots[1], options.chance("timers"), round(seconds * TIMERS_A_SECOND), seconds)
        with Follower(url, key) as follower:
            with at_work(url, key, options.chance("agents"), AGENTS) as team, Sleeper() as sleeper:
                strike(running, plan, attendance)
                team.goes_on(AGENTS)
            eventually(lambda: all(are_over(store, root) for root in roots), "offers end")
            attendance.end()
            busy, quiet = (EventLog(store, root) for root in roots)
            for name, times in each.items():
                figures.tell(f"kills of {name}", times)
            tell_load(figures, team)
            follow_to_the_end(figures, follower, busy)
        judge(figures, store, roots[0], busy, team)
        figures.none("offers that have not ended", unended(busy) + unended(quiet))
        figures.none("gaps in the log of the quiet router", quiet.gaps)
        figures.none("what happened twice in the quiet router", quiet.repeated())
        tell_lateness(figures, quiet, attendance, sleeper, options)
        wrong = [problem for name in (running.tenant, QUIET) for problem in unsound(server.url, name)]
        figures.none("invariants violated", wrong)
    return figures


def strike(running: Stack, plan: Sequence[Blow], attendance: Attendance) -> None:
    """Kills by plan; whom it hits is started again at once."""
    for blow in plan:
        time.sleep(blow.pause)
        if blow.victim in WORKERS:
            attendance.gone(blow.victim)
        running.processes.kill(blow.victim)
        running.start_again(blow.victim)


def tell_load(figures: Figures, team: Team) -> None:
    """What the agents have done."""
    figures.tell("agents", len(team.agents))
    figures.at_least("life cycles", team.ledger.closed(), 2 * AGENTS)
    figures.tell("operations acknowledged", len(team.ledger.acks))
    figures.tell("tried again by the SDK upon an answer", team.repeated_by_sdk)
    figures.tell("repeated by the agents, with the same request id", team.ledger.interrupted)


def follow_to_the_end(figures: Figures, follower: Follower, log: EventLog) -> None:
    """Compares what came over the stream with the log."""
    wanted = [event.id for event in log.events]
    eventually(lambda: len(follower.seen) >= len(wanted), "the stream has come to its end")
    got = follower.seen[:]
    places = [
        f"event {i} is {a}, not {b}" for i, (a, b) in enumerate(zip(got, wanted, strict=False)) if a != b
    ]
    figures.tell("events on the stream", len(got))
    figures.tell("times that the stream was cut", follower.cuts)
    figures.none("events lost, repeated or misplaced on the stream", [*places, *got[len(wanted) :]])


def tell_lateness(
    figures: Figures, log: EventLog, attendance: Attendance, sleeper: Sleeper, options: Options
) -> None:
    """How late offers have run out, apart from those that were due while no worker lived."""

    def served(due: float) -> bool:
        return attendance.is_served(due, due + LATE_MS)

    while_one_works, others = lateness(log, served), lateness(log, lambda due: not served(due))
    figures.at_least("offers that ran out while a worker worked", len(while_one_works), 1)
    if while_one_works:
        figures.tell("lateness, p50, ms", percentiles.at(while_one_works, 50))
        p99, machine = percentiles.at(while_one_works, 99), percentiles.at(sleeper.late_ms, 99)
        figures.tell("lateness of a process that only sleeps, p99, ms", machine)
        if options.quick:
            figures.tell("lateness, p99, ms", p99)
        else:
            figures.at_most("lateness, p99, ms", p99, LATE_MS + machine)
    figures.tell("offers that ran out while all workers started anew, not counted above", len(others))
    if others:
        figures.tell("lateness of these, longest, ms", others[-1])
