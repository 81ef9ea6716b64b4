"""Checks concurrent histories: ``python -m tests.histories --operations 1000000 --seed 1 --clients 16``.

Clients run mixed random operations on routers of a private server, several at once on each, with workers that
sweep; some replies are lost. With --http they send signed requests to two API replicas beside two workers.
Calls are recorded, and each history is checked against the log of its router, which the naive twin has to
follow: every reply, every refusal, sampled reads, the order in real time, events and state in the end. Exit
status 1 when anything differs.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
import tempfile
import time
from pathlib import Path

from tests.histories.checker import SHOWN, Found
from tests.histories.run import Plan, run, run_http

TELL_SECONDS = 15.0


class Teller:
    """Tells how far it is, now and then."""

    def __init__(self, operations: int) -> None:
        self._operations = operations
        self._next = time.monotonic() + TELL_SECONDS

    def __call__(self, found: Found, seconds: float) -> None:
        if time.monotonic() < self._next:
            return
        self._next = time.monotonic() + TELL_SECONDS
        share = f"{found.operations:,} of {self._operations:,} operations checked"
        print(f"{share}, {seconds:.0f} s, {len(found.mismatches)} mismatches", file=sys.stderr, flush=True)


def report(found: Found, busy: float, seconds: float) -> str:
    """What was done and found."""
    return "\n".join(
        [
            f"{found.operations:,} operations, {found.operations / busy:,.0f} a second of the clients; "
            f"checked in {seconds:.0f} s, {found.operations / seconds:,.0f} a second",
            f"replies {found.replies:,}, refusals {found.refusals:,}, reads {found.reads:,}; "
            f"lost answers {found.unknown:,}, of which {found.executed:,} were executed; "
            f"repeats that acted again {found.again:,}",
            f"log: {found.entries:,} entries, {found.due:,} due rows; events compared {found.events:,}",
            f"mismatches: {len(found.mismatches)}",
        ]
    )


def main() -> int:
    """Runs and reports. Gives the exit status."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--operations", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=1, help="of the first history; each has the next one")
    parser.add_argument("--clients", type=int, default=16, help="of each router")
    parser.add_argument("--length", type=int, default=4_000, help="operations of one history")
    parser.add_argument("--beside", type=int, default=8, help="histories at a time")
    parser.add_argument("--checkers", type=int, default=min(2, os.cpu_count() or 1), help="processes")
    parser.add_argument(
        "--lose-every", type=int, default=100, help="operations of a client that loses answers"
    )
    parser.add_argument("--seconds", type=float, default=3_600, help="no history begins after this time")
    parser.add_argument("--http", action="store_true", help="through two API replicas, one history at a time")
    given = vars(parser.parse_args())
    runs = run_http if given.pop("http") else run
    if min(value for name, value in given.items() if name != "seed") <= 0:
        parser.error("numbers must be positive")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("ended"))
    plan = Plan(**given, folder=Path(tempfile.gettempdir()))
    begun = time.monotonic()
    found, busy = runs(plan, Teller(given["operations"]))
    print(report(found, busy, time.monotonic() - begun))
    for mismatch in found.mismatches[:SHOWN]:
        print(mismatch)
    return 1 if found.mismatches else 0


if __name__ == "__main__":
    sys.exit(main())
