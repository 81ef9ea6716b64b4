"""Is the router ready? Reasons why not, warnings, and the settings in force."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec
from redis.asyncio import Redis
from redis.exceptions import RedisError

from engine.address import Address
from engine.clients import administration
from engine.commands import RouterStatus
from engine.errors import Failed, NewerLibrary, Refused, Unavailable
from engine.store import Store, root_of
from engine.worker.alarms import missing_flags

OVERDUE_MS = 2_000
"""How late the agenda may be before it is worth a warning; the workers sweep every second at the latest."""

SECONDS = 2.0
"""How long the store may take to answer."""

SETTINGS = (
    "keep_finished_ms",
    "keep_finished_count",
    "keep_events_ms",
    "keep_events_count",
    "outage_ms",
    "unassign_limit",
    "worker_offers",
    "batch",
)


class Findings(msgspec.Struct):
    """What a look at the store has found."""

    reasons: list[str] = []
    warnings: list[str] = []
    library: dict[str, Any] = {}
    settings: dict[str, dict[str, Any]] = {}


class Health:
    """Called, it looks at the store anew and gives (ready, report)."""

    def __init__(self, store: Store, tenants: Iterable[str]) -> None:
        self._store = store
        self._tenants = tuple(tenants)
        self._clients: dict[Address, Redis] = {}

    async def __call__(self) -> tuple[bool, dict[str, Any]]:
        """Ready or not, and the report."""
        found = Findings()
        try:
            for client in await self._servers():
                await self._look_at_server(client, found)
            for tenant in self._tenants:
                await self._look_at_tenant(tenant, found)
        except NewerLibrary as error:
            found.reasons.append(str(error))
        except (RedisError, Unavailable, OSError, TimeoutError) as error:
            found.reasons.append(f"the store is unreachable: {error}")
        ready = not found.reasons
        return ready, {"status": "ready" if ready else "unavailable", **msgspec.to_builtins(found)}

    async def close(self) -> None:
        """Closes its connections."""
        for client in self._clients.values():
            await client.aclose()

    async def _servers(self) -> list[Redis]:
        """Clients of the primaries that have the tenants' keys; those of others are closed."""
        wanted = dict.fromkeys(
            [await self._store.servers.address(root_of(tenant)) for tenant in self._tenants]
        )
        for gone in self._clients.keys() - wanted.keys():
            await self._clients.pop(gone).aclose()
        for address in wanted:
            self._clients.setdefault(address, administration(address, seconds=SECONDS))
        return [self._clients[address] for address in wanted]

    async def _look_at_server(self, client: Redis, found: Findings) -> None:
        info: dict[str, Any] = await client.info("everything")
        warnings = []
        if not int(info.get("aof_enabled", 0)) and not await _saves(client):
            warnings.append("persistence is off: a restart of the store loses everything")
        flags = await _setting(client, "notify-keyspace-events")
        if flags is None:
            warnings.append("keyspace notifications are unknown: the store refuses CONFIG")
        elif missing_flags(flags):
            warnings.append("keyspace notifications are off: what is due is done up to a second late")
        # what is so on several servers is told once
        found.reasons += [reason for reason in refusals_of(info) if reason not in found.reasons]
        found.warnings += [warning for warning in warnings if warning not in found.warnings]

    async def _look_at_tenant(self, tenant: str, found: Findings) -> None:
        try:
            status = await self._store.run(root_of(tenant), RouterStatus())
        except Failed as error:
            found.reasons.append(f"the library is missing and cannot be loaded: {error}")
            return
        except Refused as error:
            found.reasons.append(f"{tenant}: {error.text}")
            return
        found.library = {"version": status["version"], "digest": status["digest"]}
        found.settings[tenant] = {name: status[name] for name in SETTINGS if name in status}
        late = int(status["overdue_ms"])
        if late > OVERDUE_MS:
            found.warnings.append(f"the agenda of {tenant} is {late} ms overdue: does a worker run?")


def refusals_of(info: dict[str, Any]) -> list[str]:
    """Why a server with this INFO cannot be worked with."""
    reasons = []
    if info.get("role") == "slave" and int(info.get("slave_read_only", 1)):
        reasons.append("the store is read-only: it is a replica")
    if info.get("aof_last_write_status", "ok") != "ok" or info.get("rdb_last_bgsave_status", "ok") != "ok":
        reasons.append("the store is read-only: its last write to disk has failed")
    policy = info.get("maxmemory_policy", "noeviction")
    if policy != "noeviction":
        reasons.append(f"the store evicts: maxmemory-policy is {policy} and must be noeviction")
    return reasons


async def _saves(client: Redis) -> bool:
    # unknown counts as yes: managed servers refuse CONFIG and do persist
    return await _setting(client, "save") != ""


async def _setting(client: Redis, name: str) -> str | None:
    try:
        value: str | None = (await client.config_get(name)).get(name)
    except RedisError:
        return None
    return value
