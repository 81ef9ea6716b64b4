"""What is not right with a router: its agenda, its tasks, its subscriptions, its invariants."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from itertools import islice
from typing import Any

from redis.asyncio import Redis

from engine.commands import RouterStatus
from engine.diagnosis.findings import Finding, Level, duration, sentence
from engine.diagnosis.subscriptions import look_at_subscriptions
from engine.errors import Failed, NewerLibrary, Refused
from engine.inspection import SAMPLE, problems
from engine.store import Store, root_of

SWEPT_SECONDS = 5.0
"""How long nobody may have swept: workers do so once a second."""
LATE_SECONDS = 2.0
VERY_LATE_SECONDS = 60.0
LATE_TASK_SECONDS = 60.0

SHOWN_PROBLEMS = 20

Advance = Callable[[int], None]
"""Is told how many more entities were verified."""


async def look_at_router(
    client: Redis, store: Store, url: str, tenant: str, whole: bool, advance: Advance
) -> AsyncIterator[Finding]:
    """Looks at one router. ``advance`` as in ``diagnose``. Raises RedisError and Unavailable."""
    root = root_of(tenant)
    if not await client.exists(root):
        yield Finding(
            "warning",
            "no_router",
            "There is no such router in the store.",
            "Check the name (--tenants); it appears with its first worker or request.",
            tenant,
        )
        return
    try:
        status = await store.run(root, RouterStatus())
    except (Failed, NewerLibrary, Refused) as error:
        yield Finding(
            "critical", "unreadable", f"The router cannot be read: {error}.", "Update jobrouter.", tenant
        )
        return
    now_ms = await _now_ms(client)
    for finding in _agenda(status, now_ms):
        finding.router = tenant
        yield finding
    if (late := await _tasks(client, root, now_ms)) is not None:
        late.router = tenant
        yield late
    async for finding in look_at_subscriptions(client, store, root, now_ms):
        finding.router = tenant
        yield finding
    async for finding in _invariants(url, tenant, whole, advance):
        finding.router = tenant
        yield finding


def _agenda(status: dict[str, Any], now_ms: int) -> Iterator[Finding]:
    since = (now_ms - int(status["swept_at"])) / 1000
    if since > SWEPT_SECONDS:
        last = f"for {duration(since)}" if int(status["swept_at"]) else "ever"
        yield Finding(
            "critical",
            "no_worker",
            f"No worker has swept {last}: offers do not expire, jobs do not close.",
            "Start 'jobrouter worker' (or 'serve') for this router.",
        )
        return
    late = int(status["overdue_ms"]) / 1000
    if late > LATE_SECONDS:
        level: Level = "critical" if late > VERY_LATE_SECONDS else "warning"
        yield Finding(
            level,
            "overdue",
            f"The agenda is {duration(late)} late.",
            "Look at the workers' log and at the load of the store, which may be at its limit.",
        )
    else:
        yield Finding("ok", "agenda", "What is due is done in time.")


async def _tasks(client: Redis, root: str, now_ms: int) -> Finding | None:
    late = int(await client.zcount(f"{root}:tasks", "-inf", now_ms - LATE_TASK_SECONDS * 1000))
    if not late:
        return None
    return Finding(
        "warning",
        "late_tasks",
        f"{late} questions to functions or webhooks wait for longer than a minute.",
        "Look whether the endpoints of the rules answer, and workers may call them (--allow-outgoing).",
    )


async def _invariants(url: str, tenant: str, whole: bool, advance: Advance) -> AsyncIterator[Finding]:
    # what concerns the whole router is found with each slice of its entities
    number, found = 0, Counter[str]()
    async for seen, wrong in problems(url, tenant, None if whole else SAMPLE, load=False):
        number += seen
        found.update(wrong)
        advance(seen)
    some = "" if whole else f" (at most {SAMPLE} of a kind; --whole verifies all)"
    if not found:
        yield Finding("ok", "invariants", f"{number} entities are sound{some}.")
        return
    for problem, times in islice(found.items(), SHOWN_PROBLEMS):
        yield Finding(
            "critical",
            "unsound",
            f"{sentence(problem)}.",
            "Report it with this text: the library alone should write to the store.",
            times=times,
        )
    if len(found) > SHOWN_PROBLEMS:
        more = len(found) - SHOWN_PROBLEMS
        yield Finding(
            "critical", "unsound", f"There are {more} more such problems.", "See 'jobrouter check'."
        )


async def _now_ms(client: Redis) -> int:
    seconds, micros = await client.time()
    return int(seconds) * 1000 + int(micros) // 1000
