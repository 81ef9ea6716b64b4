"""Interleaved rounds of all peers on one server, and of the router with different append-only files."""

from __future__ import annotations

import contextlib
import statistics
from collections.abc import Callable, Sequence

from bench import populations
from bench.meters import Cost
from bench.peers.lean import LEAN
from bench.peers.peer import Peer
from bench.peers.queues import BULLMQ_PEER, SAQ_PEER
from bench.peers.router import ROUTER, WORKERS, lives
from bench.ratios import Found, Goal
from bench.rounds import Plan, Samples
from bench.site import Site, site

PEERS = {peer.name: peer for peer in (LEAN, ROUTER, BULLMQ_PEER, SAQ_PEER)}

DURABILITY = {
    "off": {"appendonly": "no"},
    "everysec": {"appendonly": "yes", "appendfsync": "everysec"},
    "always": {"appendonly": "yes", "appendfsync": "always"},
}
# A rewrite of the file is a fork that would share the server's only processor: it has costs of its own.
NO_REWRITE = {"auto-aof-rewrite-percentage": "0"}
CLIENTS = 8
"""Connections that pipeline at the same time, 16 commands each: what arrives together is synced together."""
DURABLE_CYCLES, DURABLE_WAVE = 1_920, 640

QUICK_CYCLES = 20

GOALS = {
    "redis_us_per_bullmq": Goal(1.0, 0.7),
    "command_us_per_bullmq": Goal(1.0, 0.7),
    "cycles_per_bullmq": Goal(1.2, 2, more=True),
    "everysec_per_off": Goal(0.75, 0.85, more=True),
    "always_per_off": Goal(0.6, 0.8, more=True),
}

Say = Callable[[str], None]


def peers(names: Sequence[str], plan: Plan, say: Say) -> dict[str, Samples]:
    """The samples of these peers, who take turns on one server.

    Raises RuntimeError when one cannot be installed or ends before its time.
    """
    found = {name: Samples(name) for name in names}
    with contextlib.ExitStack() as stack:
        here = stack.enter_context(site(plan.program, plan.server_cpu))
        running = []
        for name in names:
            say(f"preparing {name}")
            own = Site(here.client, here.root, here.url)
            running.append((PEERS[name], stack.enter_context(PEERS[name].opened(own, plan))))
        for number in range(-1, plan.rounds):
            say("warming up" if number < 0 else f"round {number + 1}")
            for peer, run in running:
                cycles = _cycles(peer, plan)
                cost = run(cycles)
                if number >= 0:
                    _note(found[peer.name], cost, cycles)
    return found


def _cycles(peer: Peer, plan: Plan) -> int:
    return QUICK_CYCLES if plan.quick else peer.cycles


def durability(plan: Plan, say: Say) -> dict[str, Samples]:
    """The router's samples without, and with the two usual kinds of append-only file; many clients."""
    found = {name: Samples(name) for name in DURABILITY}
    cycles, wave = (QUICK_CYCLES, QUICK_CYCLES) if plan.quick else (DURABLE_CYCLES, DURABLE_WAVE)
    with contextlib.ExitStack() as stack:
        say("preparing the router with append-only files")
        living = []
        for name, options in DURABILITY.items():
            own = site(plan.program, plan.server_cpu, options={**NO_REWRITE, **options}, clients=CLIENTS)
            living.append((name, populations.workers(WORKERS)(stack.enter_context(own), plan.scale)))
        for number in range(-1, plan.rounds):
            say("warming up" if number < 0 else f"round {number + 1}")
            for name, steps in living:
                cost = lives(steps, cycles, wave)
                steps.site.forget_events()
                if number >= 0:
                    _note(found[name], cost, cycles)
    return found


def _note(samples: Samples, cost: Cost, cycles: int) -> None:
    samples.add("cycles_per_s", cycles / cost.seconds)
    samples.add("redis_us", cost.processor_ns / cycles / 1000)
    samples.add("command_us", cost.microseconds / cycles)
    samples.add("sent", cost.calls / cycles)
    samples.add("inside", cost.commands / cycles)


def ratios(found: Found) -> dict[str, float]:
    """The figures that are judged, of what was measured: medians of the ratios of one round each."""
    wanted = {
        "redis_us_per_bullmq": ("redis_us", "router", "bullmq"),
        "command_us_per_bullmq": ("command_us", "router", "bullmq"),
        "cycles_per_bullmq": ("cycles_per_s", "router", "bullmq"),
        "cycles_per_saq": ("cycles_per_s", "router", "saq"),
        "redis_us_per_lean": ("redis_us", "router", "lean"),
        "lean_redis_us_per_bullmq": ("redis_us", "lean", "bullmq"),
        "everysec_per_off": ("cycles_per_s", "everysec", "off"),
        "always_per_off": ("cycles_per_s", "always", "off"),
    }
    return {
        name: round(_paired(found[one], found[other], value), 3)
        for name, (value, one, other) in wanted.items()
        if one in found and other in found and all(found[other].values[value])
    }


def _paired(one: Samples, other: Samples, value: str) -> float:
    """What slows a whole round cancels out."""
    pairs = zip(one.values[value], other.values[value], strict=True)
    return statistics.median(a / b for a, b in pairs)
