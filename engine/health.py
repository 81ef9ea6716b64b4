"""Is the router ready? Reasons why not, warnings, and the settings in force."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Any

import msgspec
from redis.asyncio import Redis
from redis.exceptions import RedisError

from engine.address import Address
from engine.clients import administration, put_away
from engine.commands import RouterStatus
from engine.errors import Failed, NewerLibrary, Refused, Unavailable
from engine.sharing import outcome_of
from engine.store import Store, root_of
from engine.worker.alarms import missing_flags

OVERDUE_MS = 2_000
"""How late the agenda may be before it is worth a warning; the workers sweep every second at the latest."""

SECONDS = 2.0
"""How long it may take to find the primaries, and then how long each of them to answer it all."""

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
    """Called, it looks at the store and gives (ready, report). Whoever calls during a look shares it.

    Probes need no key and pass no gate: however many come, a store that hangs is asked by one at a time.
    """

    def __init__(self, store: Store, tenants: Iterable[str]) -> None:
        self._store = store
        self._tenants = tuple(tenants)
        self._clients: dict[Address, Redis] = {}
        self._looking: asyncio.Task[tuple[bool, dict[str, Any]]] | None = None

    async def __call__(self) -> tuple[bool, dict[str, Any]]:
        """Ready or not, and the report."""
        if self._looking is None or self._looking.done():
            self._looking = asyncio.create_task(self._look())
            # everybody who waits may have gone away
            self._looking.add_done_callback(lambda task: task.cancelled() or task.exception())
        return await outcome_of(self._looking, "the store is closed")

    async def _look(self) -> tuple[bool, dict[str, Any]]:
        parts = await self._parts()
        found = Findings()
        for _, part in parts:
            found.warnings += [warning for warning in part.warnings if warning not in found.warnings]
            found.library = part.library or found.library
            found.settings |= part.settings
        ready = not parts or not all(part.reasons for _, part in parts)
        for tenants, part in parts:
            # where others go on, who stands still is named, and nobody is kept from them
            told = [f"{', '.join(tenants)}: {one}" for one in part.reasons] if ready else part.reasons
            known = found.warnings if ready else found.reasons
            known += [one for one in told if one not in known]
        return ready, {"status": "ready" if ready else "unavailable", **msgspec.to_builtins(found)}

    async def close(self) -> None:
        """Closes its connections."""
        if self._looking is not None:
            self._looking.cancel()
            await asyncio.gather(self._looking, return_exceptions=True)
        for client in self._clients.values():
            await put_away(client)

    async def _parts(self) -> list[tuple[list[str], Findings]]:
        """For each primary its tenants, and what was found there."""
        places: dict[Address, list[str]] = {}
        lost: list[tuple[list[str], Findings]] = []
        until = asyncio.get_running_loop().time() + SECONDS
        for tenant in self._tenants:
            try:
                async with asyncio.timeout_at(until):
                    address = await self._store.servers.address(root_of(tenant))
            except (Unavailable, TimeoutError) as error:
                lost.append(([tenant], Findings(reasons=[_unreachable(error)])))
            else:
                places.setdefault(address, []).append(tenant)
        for gone in self._clients.keys() - places.keys():
            await put_away(self._clients.pop(gone))
        looks = (self._look_at(address, tenants) for address, tenants in places.items())
        return [*zip(places.values(), await asyncio.gather(*looks), strict=True), *lost]

    async def _look_at(self, address: Address, tenants: list[str]) -> Findings:
        found = Findings()
        client = self._clients.setdefault(address, administration(address, seconds=SECONDS))
        try:
            async with asyncio.timeout(SECONDS):
                await self._look_at_server(client, found)
                for tenant in tenants:
                    await self._look_at_tenant(tenant, found)
        except NewerLibrary as error:
            found.reasons.append(str(error))
        except (RedisError, Unavailable, OSError, TimeoutError) as error:
            found.reasons.append(_unreachable(error))
        return found

    async def _look_at_server(self, client: Redis, found: Findings) -> None:
        info: dict[str, Any] = await client.info("everything")
        found.reasons += refusals_of(info)
        if not int(info.get("aof_enabled", 0)) and not await _saves(client):
            found.warnings.append("persistence is off: a restart of the store loses everything")
        flags = await _setting(client, "notify-keyspace-events")
        if flags is None:
            found.warnings.append("keyspace notifications are unknown: the store refuses CONFIG")
        elif missing_flags(flags):
            found.warnings.append("keyspace notifications are off: what is due is done up to a second late")

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


def _unreachable(error: Exception) -> str:
    return f"the store is unreachable: {str(error) or f'no answer in {SECONDS:g} s'}"


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
