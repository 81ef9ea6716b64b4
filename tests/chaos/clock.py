"""The clock of Redis jumps by up to an hour, forth and back, under load.

After each jump work goes on, and an offer that is made then ends in time. What was open before a jump may end
early or late, as the clock says, but is never forgotten: an offer that has not ended is still open.
"""

from __future__ import annotations

import tempfile
import time
from base64 import b64encode
from pathlib import Path

from bench.load.stack import Size, stack
from engine.store import root_of
from tests import support
from tests.chaos.agents import at_work
from tests.chaos.event_log import OFFER, EventLog
from tests.chaos.fake_clock import FakeClock
from tests.chaos.figures import Figures
from tests.chaos.kept import judge
from tests.chaos.proofs import Options
from tests.chaos.soundness import unsound
from tests.chaos.timers import are_over, forgotten, lateness, set_timer
from tests.support import SyncStore, eventually

QUIET = "quiet"
AGENTS = 6
HOUR = 3_600
EXPIRES_MS = 500
LATE_MS = 1_100
"""A worker sweeps once a second, whatever it thinks of the clock."""


def prove(options: Options) -> Figures:
    figures = Figures()
    chance = options.chance("clock")
    jumps = [HOUR, 0, -HOUR, *(chance.randint(-HOUR, HOUR) for _ in range(options.times(16, 0))), 0]
    with tempfile.TemporaryDirectory(prefix="jr") as folder:
        clock = FakeClock(Path(folder))
        with (
            support.server(options.program, clock.variables, appendonly="yes") as server,
            server.client() as client,
            stack(Size(1, 1, server.url, direct=True, more_tenants=(QUIET,)), Path(folder)) as running,
        ):
            store, roots = SyncStore(client), [root_of(running.tenant), root_of(QUIET)]
            url, key = running.targets[0], b64encode(running.key).decode()
            went: list[int] = []
            with at_work(url, key, options.chance("agents"), AGENTS) as team:
                for number, ahead in enumerate(jumps):
                    clock.set(ahead)
                    eventually(lambda ahead=ahead: abs(client.time()[0] - time.time() - ahead) < 5)  # type: ignore[misc]
                    went.append(ahead)
                    set_timer(store, roots[1], f"timer-{number}", EXPIRES_MS)
                    team.goes_on(AGENTS)
                    eventually(lambda: are_over(store, roots[1]), "the timer ends")
            busy, quiet = (EventLog(store, root) for root in roots)
            figures.tell("jumps of the clock", len(went))
            figures.tell("furthest ahead, s", max(went))
            figures.tell("furthest behind, s", min(went))
            figures.at_least("life cycles", team.ledger.closed(), AGENTS * len(jumps))
            figures.tell("operations acknowledged", len(team.ledger.acks))
            figures.tell(
                "offers ended by the clock", len(busy.of(f"{OFFER}Expired") + busy.of(f"{OFFER}Revoked"))
            )
            judge(figures, store, roots[0], busy, team)
            figures.none("offers that have no end and are not open", forgotten(store, roots[0], busy))
            late = lateness(quiet, lambda _: True)
            figures.at_least("offers made after a jump that ran out", len(late), len(jumps))
            if options.quick:
                figures.tell("lateness of these, longest, ms", late[-1])
            else:
                figures.at_most("lateness of these, longest, ms", late[-1], LATE_MS)
            figures.none("gaps in the log of the quiet router", quiet.gaps)
            wrong = [problem for name in (running.tenant, QUIET) for problem in unsound(server.url, name)]
            figures.none("invariants violated", wrong)
    return figures
