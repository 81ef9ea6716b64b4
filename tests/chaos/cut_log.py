"""Random cuts of the append-only file: each loads, has all calls before the cut, and none by half.

Random operations of all kinds are recorded; after each, the size of the file and a digest of the store are
noted. A file that is cut anywhere must give exactly the store as it was after the last call before the cut:
a call stands in the file as one transaction.
"""

from __future__ import annotations

import hashlib
import tempfile
from bisect import bisect_right
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import redis

from engine.library import library
from tests import support
from tests.chaos import append_only
from tests.chaos.figures import Figures
from tests.chaos.proofs import Options
from tests.chaos.soundness import unsound
from tests.support import eventually
from tests.twin.driver import Driver, make

TENANT = "twin"
ALARM = f"jr:{{{TENANT}}}:alarm"
"""The only key that ends by itself, so it may be gone by the time it is looked at."""


class Recording(NamedTuple):
    """A server's directory, and after each call (first after none) the size of its file and a digest."""

    folder: Path
    sizes: list[int]
    digests: list[str]


class Found(NamedTuple):
    """What cut files have shown."""

    lost: list[int]
    refused: list[str]
    others: list[str]
    unsound: list[str]


def prove(options: Options) -> Figures:
    figures, found = Figures(), Found([], [], [], [])
    with _recorded(options) as recording:
        first, last = recording.sizes[0], recording.sizes[-1]
        chance = options.chance("cuts")
        places = [chance.randint(first, last) for _ in range(options.times(1_000, 12))]
        for place in places:
            _cut(options, recording, place, found)
    figures.tell("steps recorded", len(recording.sizes) - 1)
    figures.tell("bytes of the file", last - first)
    figures.tell("cuts", len(places))
    figures.tell("cuts in the middle of a call", sum(place not in recording.sizes for place in places))
    figures.tell("steps after the cut, median", sorted(found.lost)[len(places) // 2])
    figures.none("cut files that do not load", found.refused)
    figures.none("stores that are not as after the last call before the cut", found.others)
    figures.none("invariants violated", found.unsound)
    return figures


@contextmanager
def _recorded(options: Options) -> Iterator[Recording]:
    """Plays random steps on a server that writes its file before it answers."""
    steps = make(options.seed, options.times(1_000, 100))
    with support.server(
        options.program, appendonly="yes", appendfsync="no", enable_debug_command="yes"
    ) as server:
        with server.client() as client:
            client.function_load(library().source, replace=True)
            # the library goes into the file that is not cut
            client.bgrewriteaof()
            eventually(lambda: not _rewrites(client))
            file = append_only.growing(server.folder)
            recording = Recording(server.folder, [file.stat().st_size], [_digest(client)])
            pair = Driver(client).pair(thorough=False)
            for step in steps:
                pair.take(step)
                recording.sizes.append(file.stat().st_size)
                recording.digests.append(_digest(client))
        server.kill()
        yield recording


def _rewrites(client: redis.Redis) -> bool:
    info = client.info("persistence")
    return bool(info["aof_rewrite_in_progress"] or info["aof_rewrite_scheduled"])


def _digest(client: redis.Redis) -> str:
    """Of all keys and their values, in whatever order a server holds them."""
    keys = sorted({key for key in client.scan_iter(count=1000) if key != ALARM})
    values: list[str] = client.execute_command("DEBUG", "DIGEST-VALUE", *keys) if keys else []  # type: ignore[no-untyped-call]
    return hashlib.sha1("\n".join([*keys, *values]).encode("utf-8", "surrogateescape")).hexdigest()


def _cut(options: Options, recording: Recording, place: int, found: Found) -> None:
    before = bisect_right(recording.sizes, place) - 1
    found.lost.append(len(recording.sizes) - 1 - before)
    with tempfile.TemporaryDirectory(prefix="jr") as folder:
        append_only.cut_copy(recording.folder, Path(folder), place)
        server = support.Server(options.program, Path(folder))
        try:
            server.start(appendonly="yes", enable_debug_command="yes")
            with server.client() as client:
                if _digest(client) != recording.digests[before]:
                    found.others.append(f"cut at {place}: not as after step {before}")
                if client.exists(f"jr:{{{TENANT}}}"):
                    wrong = unsound(server.url, TENANT)
                    found.unsound.extend(f"cut at {place}: {problem}" for problem in wrong)
        except AssertionError as error:
            found.refused.append(f"cut at {place}: {error}")
        finally:
            server.kill()
