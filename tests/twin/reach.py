"""python -m tests.twin.reach --steps N --seed S: what random steps reach, counted in a real server.

A fault may need many of several things at once, so line coverage does not tell what random steps can find.
Probes stand before lines of the library; each counts how often its expression had which value.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from engine.library import lua_directory
from tests.twin.driver import Driver, make
from tests.twin.store import private_client, source

FUNCTION = "jr_reach"
MOST = 99
"""Greater values count as this one."""
TELL = f"""
redis.register_function({{
  function_name = "{FUNCTION}",
  callback = function()
    local told = {{}}
    for name, counts in pairs(REACHED) do
      for value, times in pairs(counts) do
        told[#told + 1] = {{ name, value, times }}
      end
    end
    return told
  end,
  flags = {{ "no-writes" }},
}})
"""
STEPS = 300
Counts = dict[str, dict[int, int]]
"""By name of a probe: how often which value came."""


class Probe(NamedTuple):
    """Counts the values of a Lua expression whenever a line of a file is about to run."""

    name: str
    wanted: int
    """The value that random steps are to reach."""
    file: str
    line: str
    expression: str

    @property
    def text(self) -> str:
        """It in Lua."""
        return (
            f'do local n, name = math.min({self.expression}, {MOST}), "{self.name}" '
            "local counts = REACHED[name] or {} REACHED[name], counts[n] = counts, (counts[n] or 0) + 1 end "
        )


WALK, MATCH, PEEK = "matching/candidates.lua", "matching/match.lua", "matching/peek.lua"
FILLINGS, IDLE, TURNS = "matching/fillings.lua", "matching/longest_idle.lua", "matching/round_robin.lua"
TOGETHER = "local walk, next_waiting = candidates.of(ready), 1"
SLICE = "local is_new = false"
LANES = "queue_supply(wanted.queue), from, from + count - 1"
CLASSES = 'redis.call("ZCARD", name)'
FREED = "(function() local n = 0 for _, m in pairs(walk.groups) do n = n + #m end return n end)()"
FILL = "keys.filling_jobs(), 0, op.portion - 1)"
LEFT = (
    "(function() local n = 0 for class in pairs(bucket.seen) do "
    'n = n + 1 - redis.call("EXISTS", keys.demand_jobs(class)) end return n end)()'
)
PROBES = (
    Probe("jobs that are matched together", 9, MATCH, TOGETHER, "#waiting"),
    Probe("workers that are matched together", 9, MATCH, TOGETHER, "#ready"),
    Probe("jobs and workers, the fewer", 1, MATCH, TOGETHER, "math.min(#waiting, #ready)"),
    Probe("buckets of a walk", 4, WALK, "return listed", "#listed"),
    Probe("classes of a bucket", 13, WALK, SLICE, CLASSES),
    Probe(
        "classes before three workers",
        9,
        WALK,
        SLICE,
        f"{FREED} > 2 and {CLASSES} or 0",
    ),
    Probe("classes in a slice", 16, WALK, SLICE, "count"),
    Probe("classes that a walk has emptied", 3, WALK, SLICE, LEFT),
    Probe("closed buckets", 1, WALK, "table.remove(walk.buckets, k)", "1"),
    Probe("refused candidates", 1, WALK, "class.job, class.refused = nil, refused", "refused and 1 or 0"),
    Probe("takers of a class that are asked", 3, WALK, "found = first_for(", "#class.takers"),
    Probe("jobs that were set aside", 4, FILLINGS, FILL, 'redis.call("ZCARD", keys.filling_jobs())'),
    Probe("workers that were", 1, FILLINGS, FILL, 'redis.call("ZCARD", keys.filling_workers())'),
    Probe("jobs in a slice for a worker", 16, PEEK, "local barred = bars.among(", "count"),
    Probe("classes in a slice for one", 16, PEEK, "local over = #rows < 2 * count", "count"),
    Probe("workers of a lane in a slice", 8, IDLE, "local rows = supply.first(", "count"),
    Probe("lanes in a slice", 8, IDLE, LANES, "count"),
    Probe("turns in a slice", 8, TURNS, "local members = redis.call(", "count"),
    Probe("barred workers of a level", 2, "matching/best_worker.lua", "offset = offset + 1", "offset + 1"),
    Probe("jobs of a closed queue", 1, "matching/closures.lua", "move(queue, tonumber(", "#rows / 2"),
    Probe("void offers", 9, "offers/revocations.lua", '("EXISTS", key) == 1', 'redis.call("LLEN", key)'),
    Probe("jobs under review", 16, "queues/review.lua", "local plan = queues.plan(id)", "#rows / 2"),
)


def probed(text: str, probes: list[Probe]) -> str:
    """A file with its probes."""
    rows = text.split("\n")
    for probe in probes:
        places = [i for i, row in enumerate(rows) if probe.line in row]
        if len(places) != 1:
            raise LookupError(f"{probe.file} has {len(places)} lines {probe.line!r}")
        rows[places[0]] = probe.text + rows[places[0]]
    return "\n".join(rows)


def library(small: bool = False) -> str:
    """The library with all probes."""
    lua = lua_directory()
    by_file = {probe.file: [p for p in PROBES if p.file == probe.file] for probe in PROBES}
    texts = {file: probed((lua / file).read_text(), probes) for file, probes in by_file.items()}
    made = source(lua, small, {**texts, "reach.lua": TELL})
    return made.replace("local LIBRARY_VERSION", "local REACHED = {} local LIBRARY_VERSION", 1)


def counted(call: Callable[..., Any]) -> Counts:
    """What was reached. ``call`` sends a command, as ``Redis.execute_command`` does."""
    counts: Counts = {probe.name: {} for probe in PROBES}
    for name, value, times in call("FCALL_RO", FUNCTION, 0):
        counts[name][value] = times
    return counts


def missed(counts: Counts) -> list[str]:
    """The probes whose wanted value was not reached."""
    return [probe.name for probe in PROBES if max(counts[probe.name], default=0) < probe.wanted]


def report(counts: Counts) -> Iterator[str]:
    """A line for each probe."""
    for probe in PROBES:
        times = counts[probe.name]
        often = sum(count for value, count in times.items() if value >= probe.wanted)
        shown = " ".join(f"{value}:{times[value]}" for value in sorted(times))
        yield f"{probe.name}: {often} times {probe.wanted} or more ({shown})"


def main() -> int:
    parser = argparse.ArgumentParser(prog="tests.twin.reach", description=__doc__)
    parser.add_argument("--steps", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--kind", help="of all episodes, see episodes")
    given = parser.parse_args()
    done, seed = 0, given.seed
    with private_client() as client:
        client.function_load(library(), replace=True)
        driver = Driver(client)
        while done < given.steps:
            pair = driver.pair(thorough=False)
            if failure := driver.run(pair, make(seed, STEPS, given.kind)):
                raise failure
            done, seed = done + pair.steps, seed + 1
        counts = counted(client.execute_command)
    print(*report(counts), sep="\n")
    return 1 if missed(counts) else 0


if __name__ == "__main__":
    sys.exit(main())
