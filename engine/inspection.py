"""Verifies all invariants of a tenant in a live store, slice by slice, from outside."""

from __future__ import annotations

from collections.abc import AsyncIterator

from redis.asyncio import Redis

from engine.clients import administration
from engine.commands import Check
from engine.store import Store, root_of

SLICE = 50
"""Entities in one call: it must stay short, since the store does nothing else meanwhile."""

KINDS = ("job", "worker", "queue")


async def problems(url: str, tenant: str) -> AsyncIterator[tuple[int, list[str]]]:
    """For each slice the number of its entities and the problems found. Raises Unavailable, RedisError."""
    store = await Store.open(url)
    try:
        async with administration(url) as client:
            async for ids in _slices(client, root_of(tenant)):
                reply = await store.run(root_of(tenant), Check(ids=ids))
                yield len(ids), list(reply["problems"])
    finally:
        await store.close()


async def _slices(client: Redis, root: str) -> AsyncIterator[list[str]]:
    """All entities as ``<kind>:<id>``, some at a time; each at least once."""
    ids: list[str] = []
    for kind in KINDS:
        prefix = f"{root}:{kind}:"
        async for key in client.scan_iter(match=f"{prefix}*", count=1000):
            ids.append(f"{kind}:{key[len(prefix) :]}")
            if len(ids) == SLICE:
                yield ids
                ids = []
    if ids:
        yield ids
