"""Kill -9 of Redis under load, with appendfsync always and everysec: it starts again on its directory.

At each kill the directory is copied as it is, and the copy is compared with what had been acknowledged; the
server itself goes on with the same files, and nobody touches the router. A killed process loses only what
it had not handed to the system yet; what a power failure takes beyond that is not shown here.
"""

from __future__ import annotations

import tempfile
import time
from base64 import b64encode
from contextlib import closing, suppress
from http.client import HTTPException
from pathlib import Path
from typing import NamedTuple

from bench.load.stack import Size, Stack, stack
from engine.store import root_of
from tests import support
from tests.chaos import append_only
from tests.chaos.agents import Team, at_work
from tests.chaos.event_log import EventLog
from tests.chaos.figures import Figures
from tests.chaos.kept import consistent, judge, read_jobs
from tests.chaos.ledger import Ack, Ledger
from tests.chaos.proofs import Options
from tests.chaos.soundness import unsound
from tests.signed import Caller
from tests.support import PATIENCE_SECONDS, SyncStore

AGENTS = 6
IN_FLIGHT_SECONDS = 0.2
"""After a kill the last answers are still on their way to the clients."""

BACK_SECONDS = 2.0
LOSS_SECONDS = 2.0


class Kill(NamedTuple):
    """What one kill has cost: acknowledgements that the files do not have, with how old they were in seconds;
    and how long the router took once the store was there."""

    lost: dict[Ack, float]
    unsound: list[str]
    back: float


def prove(options: Options) -> Figures:
    figures = Figures()
    for policy in ("always", "everysec"):
        figures.part(f"appendfsync {policy}")
        _prove(figures, policy, options)
    return figures


def _prove(figures: Figures, policy: str, options: Options) -> None:
    chance, times = options.chance(policy), options.times(10, 1)
    with (
        tempfile.TemporaryDirectory(prefix="jr") as folder,
        support.server(options.program, appendonly="yes", appendfsync=policy) as server,
        stack(Size(1, 1, server.url, direct=True), Path(folder)) as running,
    ):
        url, key = running.targets[0], b64encode(running.key).decode()
        kills: list[Kill] = []
        with at_work(url, key, options.chance("agents"), AGENTS, may_lose=policy != "always") as team:
            for _ in range(times):
                team.goes_on(AGENTS)
                time.sleep(chance.uniform(0.2, 1.5))
                known = {ack for kill in kills for ack in kill.lost}
                kills.append(_kill(server, running, policy, team, known))
            team.goes_on(AGENTS)
        _tell(figures, policy, team, kills, options)
        with server.client() as client:
            store, root = SyncStore(client), root_of(running.tenant)
            log = EventLog(store, root)
            if any(kill.lost for kill in kills):
                consistent(figures, log, read_jobs(store, root, team.ledger.stages))
            else:
                judge(figures, store, root, log, team)
        wrong = [problem for kill in kills for problem in kill.unsound]
        figures.none("invariants violated", wrong + unsound(server.url, running.tenant))


def _kill(server: support.Server, running: Stack, policy: str, team: Team, known: set[Ack]) -> Kill:
    """Kills the server, looks at what it has left, and starts it again. ``known`` was lost before."""
    killed = time.monotonic()
    server.kill()
    time.sleep(IN_FLIGHT_SECONDS)
    ledger, size = team.ledger.copy(), append_only.growing(server.folder).stat().st_size
    with tempfile.TemporaryDirectory(prefix="jr") as folder:
        left = Path(folder)
        append_only.cut_copy(server.folder, left, size)
        server.start(appendonly="yes", appendfsync=policy)
        back = _until_back(running)
        lost, wrong = _missing(server.program, left, running.tenant, ledger)
    return Kill({ack: killed - ack.at for ack in lost if ack not in known}, wrong, back)


def _missing(program: Path, folder: Path, tenant: str, ledger: Ledger) -> tuple[list[Ack], list[str]]:
    """What files do not have of what was acknowledged, and what is wrong with what they have."""
    server = support.Server(program, folder)
    try:
        server.start(appendonly="yes")
        with server.client() as client:
            store, root = SyncStore(client), root_of(tenant)
            log = EventLog(store, root)
            return ledger.lost(read_jobs(store, root, ledger.stages)), log.gaps + unsound(server.url, tenant)
    finally:
        server.kill()


def _until_back(running: Stack) -> float:
    """How many seconds the router takes to write again, now that its store answers."""
    begun = time.monotonic()
    with closing(Caller(running.targets[0], b64encode(running.key).decode())) as call:
        while time.monotonic() < begun + PATIENCE_SECONDS:
            with suppress(OSError, HTTPException):
                policy = {"mode": {"kind": "longestIdle"}, "offerExpiresAfterSeconds": 5 + time.time() % 1}
                if call("PATCH", "/routing/distributionPolicies/probe", policy)[0] < 300:
                    break
            time.sleep(0.01)
    return time.monotonic() - begun


def _tell(figures: Figures, policy: str, team: Team, kills: list[Kill], options: Options) -> None:
    """The figures of all kills."""
    figures.tell("kills", len(kills))
    figures.at_least("life cycles", team.ledger.closed(), 2 * AGENTS)
    figures.tell("operations acknowledged", len(team.ledger.acks))
    figures.tell("tried again by the SDK upon an answer", team.repeated_by_sdk)
    figures.tell("repeated by the agents, with the same request id", team.ledger.interrupted)
    lost = [age for kill in kills for age in kill.lost.values()]
    if policy == "everysec":
        figures.tell("acknowledged operations lost by kill -9", len(lost))
        figures.at_most("the oldest of them, s", max(lost, default=0.0), LOSS_SECONDS)
        figures.tell("refused to agents since it was lost", team.forgotten)
    else:
        figures.none("acknowledged operations lost by kill -9", lost)
    back = max(kill.back for kill in kills)
    if options.quick:
        figures.tell("the router writes again after the store is back, longest, s", back)
    else:
        figures.at_most("the router writes again after the store is back, longest, s", back, BACK_SECONDS)
