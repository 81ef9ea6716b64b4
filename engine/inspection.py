"""Verifies all invariants of a tenant in a live store, slice by slice, from outside."""

from __future__ import annotations

from collections.abc import AsyncIterator

from redis.asyncio import Redis
from redis.exceptions import RedisError

from engine.clients import administration
from engine.commands import Check
from engine.errors import Unavailable
from engine.servers import Servers
from engine.store import Store, root_of

SLICE = 50
"""Entities in one call: it must stay short, since the store does nothing else meanwhile."""

SAMPLE = 2_000
"""Entities of each kind that a look at some of them verifies."""

KINDS = ("job", "worker", "queue", "subscription")

ABOUT = {
    "classify": "job",
    "close": "job",
    "exception": "job",
    "idle": "worker",
    "life": "job",
    "schedule": "job",
    "selector": "job",
    "validate": "subscription",
    "validation": "subscription",
}
"""Kinds of rows on the agenda, and of tasks, that speak of one entity, by its id."""


async def entities(url: str, tenants: list[str], *, whole: bool) -> int:
    """How many entities of these routers there are to be verified, about; 0 while that is not known."""
    total = 0
    servers = Servers.of(url)
    try:
        for tenant in tenants:
            async with administration(await servers.address(root_of(tenant))) as client:
                for kind in ("jobs", "workers", "queues"):
                    number = int(await client.zcard(f"{root_of(tenant)}:{kind}"))
                    total += number if whole else min(number, SAMPLE)
    except (Unavailable, RedisError, OSError, TimeoutError):
        return 0
    finally:
        await servers.close()
    return total


async def problems(
    url: str, tenant: str, most: int | None = None, *, load: bool = True
) -> AsyncIterator[tuple[int, list[str]]]:
    """For each slice the number of its entities and the problems found. Raises Unavailable, RedisError.

    That nothing has ever written to the tenant is a problem, too: its name may be mistyped. ``most`` bounds
    the entities of each kind. The library is loaded if need be unless ``load`` is false.
    """
    store = await Store.open(url) if load else Store.at(url)
    try:
        async with administration(await store.servers.address(root_of(tenant))) as client:
            if not await client.exists(root_of(tenant)):
                yield 0, ["there is no such router"]
            async for ids in _slices(client, root_of(tenant), most):
                reply = await store.run(root_of(tenant), Check(ids=ids))
                yield len(ids), list(reply["problems"])
    finally:
        await store.close()


async def _slices(client: Redis, root: str, most: int | None) -> AsyncIterator[list[str]]:
    """Entities as ``<kind>:<id>``, some at a time: all, each at least once, or of each kind ``most``."""
    ids: list[str] = []
    entities = (_entities(client, root, kind, most) for kind in KINDS)
    left_behind = (_left_behind(client, root, key) for key in ("agenda", "tasks"))
    # a look at some takes them from the listing anyhow
    listed = (_left_behind(client, root, f"{kind}s", kind) for kind in KINDS if most is None)
    for found in (*entities, *left_behind, *listed):
        async for entity in found:
            ids.append(entity)
            if len(ids) == SLICE:
                yield ids
                ids = []
    if ids:
        yield ids


async def _entities(client: Redis, root: str, kind: str, most: int | None) -> AsyncIterator[str]:
    """Some of them are those that a walk through the listing, in no order, comes to first."""
    prefix = f"{root}:{kind}:"
    if most is not None:
        seen = 0
        async for member, _ in client.zscan_iter(f"{root}:{kind}s", count=1000):
            if seen == most:
                return
            seen += 1
            yield f"{kind}:{member}"
        return
    async for key in client.scan_iter(match=f"{prefix}*", count=1000):
        yield f"{kind}:{key[len(prefix) :]}"


async def _left_behind(client: Redis, root: str, key: str, listed: str = "") -> AsyncIterator[str]:
    """Entities that are gone though a sorted set speaks of them: rows on what is due, or ids of a kind."""
    cursor = 0
    while True:
        cursor, rows = await client.zscan(f"{root}:{key}", cursor, count=500)
        spoken_of = []
        for row, _ in rows:
            about, _, entity_id = str(row).partition(":")
            if listed:
                spoken_of.append((listed, str(row)))
            elif about in ABOUT:
                spoken_of.append((ABOUT[about], entity_id))
        asked = client.pipeline(transaction=False)
        for kind, entity_id in spoken_of:
            asked.exists(f"{root}:{kind}:{entity_id}")
        for (kind, entity_id), is_there in zip(spoken_of, await asked.execute(), strict=True):
            if not is_there:
                yield f"{kind}:{entity_id}"
        if cursor == 0:
            return
