"""Looks at a store: at each of its servers, then at its routers."""

from __future__ import annotations

from collections.abc import AsyncIterator

from redis.exceptions import AuthenticationError, RedisError

from engine.clients import administration
from engine.diagnosis.findings import Finding
from engine.diagnosis.routers import Advance, look_at_router
from engine.diagnosis.servers import look_at_server
from engine.errors import Unavailable
from engine.layout import SLOTS
from engine.store import Store, root_of

_LOST = (RedisError, Unavailable, OSError, TimeoutError)


async def diagnose(
    url: str, tenants: list[str], *, whole: bool = False, advance: Advance = lambda n: None
) -> AsyncIterator[Finding]:
    """Looks at a store and at these routers. ``advance`` is told how many more entities were verified."""
    store = Store.at(url)
    try:
        async for finding in _servers(store):
            yield finding
        for tenant in tenants:
            try:
                async with administration(await store.servers.address(root_of(tenant))) as client:
                    # no library is loaded here: that is for those who work with it
                    if await client.function_list("jr"):
                        async for finding in look_at_router(client, store, url, tenant, whole, advance):
                            yield finding
            except _LOST as error:
                if len(await store.servers.primaries()) == 1:
                    raise
                # the others may be well
                yield _unreachable(error, router=tenant)
    except _LOST as error:
        yield _unreachable(error)
    finally:
        await store.close()


async def _servers(store: Store) -> AsyncIterator[Finding]:
    """Looks at every primary; where there are several, each finding says about which it is."""
    primaries = list(await store.servers.primaries())
    for address in primaries:
        where = f"{address.shown}: " if len(primaries) > 1 else ""
        try:
            async with administration(address) as client:
                async for finding in look_at_server(client):
                    finding.text = where + finding.text
                    yield finding
        except _LOST as error:
            if not where:
                raise
            yield _unreachable(error, where)
    if missing := await store.servers.missing():
        yield Finding(
            "critical",
            "missing_slots",
            f"{missing} of {SLOTS} slots of the cluster have no primary: routers there stand still.",
            "Look at 'redis-cli --cluster check'; start the servers that are down.",
        )


def _unreachable(error: Exception, where: str = "", router: str = "") -> Finding:
    # redis-py greets the server before it asks anything, and that is refused in words of its own
    if isinstance(error, AuthenticationError) or str(error).startswith("HELLO must be called"):
        wrong = "invalid" in str(error)
        return Finding(
            "critical",
            "not_let_in",
            f"{where}The store {'does not take this user and password' if wrong else 'wants a password'}.",
            f"{'Correct' if wrong else 'Put it into'} --redis-url: redis://:PASSWORD@… or "
            "redis://USER:PASSWORD@….",
            router,
        )
    return Finding(
        "critical",
        "unreachable",
        f"{where}The store cannot be reached: {str(error).rstrip('.')}.",
        "Start it, or correct --redis-url; look into its log.",
        router,
    )
