"""python -m tests.twin.soak --steps N --seed S: any number of random steps against the twin."""

from __future__ import annotations

import argparse
import signal
import sys
import time
from pathlib import Path

from tests.twin.driver import Difference, Driver
from tests.twin.store import private_client

LENGTHS = (60, 150, 200, 600, 2_000)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--kind", help="of all episodes, see episodes")
    parser.add_argument("--small", action="store_true", help="with small bounds of memos and direct searches")
    parser.add_argument("--go-on", action="store_true", help="tell each difference and continue")
    parser.add_argument("--lua", type=Path, help="another folder of Lua files")
    given = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("ended"))
    done, seed, found, begun = 0, given.seed, 0, time.monotonic()
    try:
        with private_client(given.lua, given.small) as client:
            driver = Driver(client)
            while done < given.steps and (given.go_on or not found):
                count = LENGTHS[seed % len(LENGTHS)]
                try:
                    done += driver.episode(seed, count, given.kind)
                except Difference as difference:
                    found += 1
                    done += count
                    print(difference, flush=True)
                seed += 1
    finally:
        seconds = time.monotonic() - begun
        print(f"{done} steps in {seconds:.0f} s, seeds {given.seed} to {seed - 1}, {found} differences")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
