"""How much the auto-pipelined connection gives: PING from 64 tasks, against the stock pool of redis-py."""

from __future__ import annotations

import asyncio
import statistics
import time
from collections.abc import Awaitable, Callable

import uvloop
from redis.asyncio import Redis

from bench.rounds import Plan
from bench.site import site
from engine.address import Address
from engine.connection import Connection

TASKS = 64
CALLS = 8_000
"""Of all tasks together, in one round of one side."""


def ratio(plan: Plan) -> float:
    """Calls a second of ours ÷ of the pool: the median of interleaved rounds."""
    with site(plan.program, plan.server_cpu) as here:
        return statistics.median(uvloop.run(_rounds(here.url, plan.rounds)))


async def _rounds(url: str, rounds: int) -> list[float]:
    ours, stock = Connection(Address.parse(url)), Redis.from_url(url)
    try:
        ratios = []
        for _ in range(rounds + 1):
            pool = await _rate(stock.ping)
            ratios.append(await _rate(lambda: ours.call("PING")) / pool)
        return ratios[1:]
    finally:
        await ours.close()
        await stock.aclose()


async def _rate(call: Callable[[], Awaitable[object]]) -> float:
    async def task() -> None:
        for _ in range(CALLS // TASKS):
            await call()

    started = time.perf_counter()
    await asyncio.gather(*(task() for _ in range(TASKS)))
    return CALLS / (time.perf_counter() - started)
