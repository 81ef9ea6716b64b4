"""python -m tests.twin.soak --steps N --seed S: any number of random steps against the twin."""

from __future__ import annotations

import argparse
import signal
import sys
import time

from tests.twin.driver import Difference, Driver
from tests.twin.store import Server

LENGTHS = (60, 150, 200, 600, 2_000)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=50_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--go-on", action="store_true", help="report each difference and continue")
    given = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("ended"))
    server = Server()
    done, seed, found, begun = 0, given.seed, 0, time.monotonic()
    try:
        while done < given.steps:
            count = LENGTHS[seed % len(LENGTHS)]
            try:
                done += Driver(server).episode(seed, count)
            except Difference as difference:
                found += 1
                done += count
                print(difference, flush=True)
                if not given.go_on:
                    break
            seed += 1
    finally:
        server.close()
    print(f"{done} steps in {time.monotonic() - begun:.0f} s, seeds {given.seed} to {seed - 1}, {found} differences")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
