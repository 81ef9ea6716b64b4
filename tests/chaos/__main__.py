"""Runs fault proofs and prints their figures: ``python -m tests.chaos --help`` tells how.

The exit status is 1 when a promise is broken or a proof could not be run.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
import traceback

from bench.load.interrupts import interruptible
from tests.chaos.proofs import Options, Proof, proofs


def main(arguments: list[str] | None = None) -> int:
    """Runs what was asked for. Gives the exit status."""
    known = proofs()
    given = _arguments(known, arguments)
    options = Options(given.seed, given.quick)
    chosen = [known[name] for name in given.proof or known]
    try:
        with interruptible():
            failed = [proof.name for proof in chosen if not _holds(proof, options)]
    except KeyboardInterrupt:
        print("ended before its time; everything that was started is gone", file=sys.stderr)
        return 130
    print(f"{len(chosen) - len(failed)} of {len(chosen)} proofs hold" + "".join(f"; not {x}" for x in failed))
    return 1 if failed else 0


def _holds(proof: Proof, options: Options) -> bool:
    """Runs one proof and prints what it has found."""
    mode = "quick" if options.quick else "full"
    print(f"== {proof.name}: {proof.title}", flush=True)
    begun = time.monotonic()
    try:
        figures = proof.prove(options)
    except Exception:
        traceback.print_exc()
        print(f"{proof.name} could not be run with seed {options.seed}", flush=True)
        return False
    print(figures)
    seconds, load = time.monotonic() - begun, os.getloadavg()[0]
    print(f"-- seed {options.seed}, {mode}, {seconds:.0f} s, load average {load:.1f}\n", flush=True)
    return not figures.broken


def _arguments(known: dict[str, Proof], arguments: list[str] | None) -> argparse.Namespace:
    titles = "\n".join(f"  {proof.name:<16} {proof.title}" for proof in known.values())
    parser = argparse.ArgumentParser(
        prog="tests.chaos",
        description="Breaks things on purpose and counts what was promised.",
        epilog=f"proofs:\n{titles}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("proof", nargs="*", help="which; all by default")
    parser.add_argument("--seed", type=int, default=1, help="of all chance, 1 by default")
    parser.add_argument("--quick", action="store_true", help="seconds each instead of minutes")
    given = parser.parse_args(arguments)
    for name in given.proof:
        if name not in known:
            parser.error(f"there is no proof '{name}'")
    return given


if __name__ == "__main__":
    sys.exit(main())
