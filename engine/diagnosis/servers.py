"""What is not right with one server of a store: its version, settings, memory, clock and library."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from typing import Any

from redis.asyncio import Redis
from redis.exceptions import RedisError

from engine.diagnosis.findings import Finding, Level, sentence
from engine.embedded import OPTIONS
from engine.health import refusals_of
from engine.library import VERSION, library, version_of
from engine.worker.alarms import missing_flags

LEAST_VERSIONS = {"valkey": (8, 0), "redis": (7, 0)}
FULL = 0.9
"""The share of maxmemory from which on it is nearly full."""
SLOW_SECONDS = 0.05
"""A round trip to the store that is worth a warning."""

CLOCK_SECONDS = 2.0
FALSE_CLOCK_SECONDS = 300.0
"""Signed requests may be 15 minutes off; clients have clocks of their own."""

_RECOMMENDED = "zset-max-listpack-entries"


async def look_at_server(client: Redis) -> AsyncIterator[Finding]:
    """Looks at one server. Raises RedisError."""
    started = time.monotonic()
    seconds, micros = await client.time()
    trip = time.monotonic() - started
    info: dict[str, Any] = await client.info("everything")
    yield _version(info)
    for reason in refusals_of(info):
        yield Finding(
            "critical",
            "refuses_writes",
            f"{sentence(reason)}.",
            "Correct that setting or state of the store.",
        )
    async for finding in _settings(client, info):
        yield finding
    if (memory := _memory(info)) is not None:
        yield memory
    yield _clock(int(seconds) + int(micros) / 1e6 - (time.time() - trip / 2), trip)
    async for finding in _library(client):
        yield finding


def _version(info: dict[str, Any]) -> Finding:
    name = "valkey" if "valkey_version" in info else "redis"
    text = str(info.get(f"{name}_version", "0"))
    version = _version_of(text)
    shown = f"The store is {name.title()} {text}"
    least = LEAST_VERSIONS[name]
    if version < least:
        wanted = ".".join(map(str, least))
        return Finding("critical", "version", f"{shown}.", f"Update it to {name.title()} {wanted} or newer.")
    return Finding("ok", "version", f"{shown}.")


def _version_of(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.split(".")[:2] if part.isdigit())


async def _settings(client: Redis, info: dict[str, Any]) -> AsyncIterator[Finding]:
    wanted = ("notify-keyspace-events", "save", "appendfsync", _RECOMMENDED)
    try:
        settings = {
            name: str(found.get(name, "")) for name in wanted if (found := await client.config_get(name))
        }
    except RedisError:
        yield Finding(
            "warning",
            "settings_unknown",
            "The store does not show its settings (CONFIG is refused).",
            "Allow CONFIG GET to this user, or verify by hand: persistence on, maxmemory-policy noeviction, "
            "notify-keyspace-events K$x.",
        )
        return
    aof = bool(int(info.get("aof_enabled", 0)))
    if not aof and not settings.get("save"):
        yield Finding(
            "warning",
            "no_persistence",
            "Nothing is written to disk: a restart of the store loses every job.",
            "Set 'appendonly yes' in the store's configuration.",
        )
    elif aof and settings.get("appendfsync") == "no":
        yield Finding(
            "warning",
            "late_persistence",
            "The store leaves it to the system when it writes to disk: a crash loses up to half a minute.",
            "Set 'appendfsync everysec'.",
        )
    elif aof and await _drops_calls(client, info):
        yield Finding(
            "critical",
            "drops_calls",
            "A restart of the store loses every job: when it loads its append-only file it drops what the "
            "user 'default' may not do.",
            "Give that user all rights, and no way in, by 'ACL SETUSER default reset ~* &* +@all' and in the "
            "file of users, as 'jobrouter acl' prints it.",
        )
    else:
        yield Finding(
            "ok", "persistence", f"Jobs are written to disk ({'append-only file' if aof else 'snapshots'})."
        )
    if missing := missing_flags(settings.get("notify-keyspace-events", "")):
        yield Finding(
            "warning",
            "no_notifications",
            f"Keyspace notifications lack {missing}: what is due is done up to a second late.",
            "Set 'notify-keyspace-events K$x'; workers that may use CONFIG do so themselves.",
        )
    else:
        yield Finding("ok", "notifications", "Keyspace notifications wake the workers in time.")
    recommended = OPTIONS[_RECOMMENDED]
    if settings.get(_RECOMMENDED, recommended) != recommended:
        yield Finding(
            "ok",
            "recommended",
            f"{_RECOMMENDED} is {settings[_RECOMMENDED]}; with {recommended} lists of offers and queues are "
            "found faster.",
        )


async def _drops_calls(client: Redis, info: dict[str, Any]) -> bool:
    """Whether transactions in its append-only file, as all calls are, are refused when the server loads it.

    Servers check them against the user ``default`` then, but for Valkey 9.1 and newer. False where our own
    user may not ask.
    """
    if "valkey_version" in info and _version_of(info["valkey_version"]) >= (9, 1):
        return False
    try:
        for words in (("HSET", "jr:{main}", "a", "b"), ("XADD", "jr:{main}", "*", "a", "b")):
            told = await client.execute_command("ACL", "DRYRUN", "default", *words)  # type: ignore[no-untyped-call]
            if told not in (b"OK", "OK"):
                return True
    except RedisError:
        return False
    return False


def _memory(info: dict[str, Any]) -> Finding | None:
    most, used = int(info.get("maxmemory", 0)), int(info.get("used_memory", 0))
    if not most:
        return None
    shown = f"The store uses {used / most:.0%} of its maxmemory"
    if used >= most * FULL:
        return Finding(
            "critical" if used >= most else "warning",
            "memory",
            f"{shown}: new jobs are refused when it is full.",
            "Raise maxmemory, or keep less with --keep-finished and --keep-events.",
        )
    return Finding("ok", "memory", f"{shown}.")


def _clock(ahead: float, trip: float) -> Finding:
    shown = f"The store's clock is {abs(ahead):.1f} s {'ahead of' if ahead > 0 else 'behind'} this machine's"
    if abs(ahead) >= CLOCK_SECONDS:
        level: Level = "critical" if abs(ahead) >= FALSE_CLOCK_SECONDS else "warning"
        return Finding(
            level,
            "clock",
            f"{shown}: offers, selectors and schedules run by the store's.",
            "Let both machines keep their time by NTP.",
        )
    if trip >= SLOW_SECONDS:
        return Finding(
            "warning",
            "slow",
            f"The store takes {trip * 1000:.0f} ms to answer, with the way there and back.",
            "Put it nearer, or look for slow commands of others with SLOWLOG GET.",
        )
    return Finding("ok", "clock", "The store's clock and this machine's agree.")


async def _library(client: Redis) -> AsyncIterator[Finding]:
    found: Any = await client.function_list("jr", True)
    ours = library()
    if not found:
        yield Finding(
            "warning",
            "no_library",
            "The store has no library of functions yet.",
            "Start 'jobrouter worker', 'api' or 'serve': each loads it.",
        )
        return
    version, digest = version_of(_code_of(found[0]))
    if version > VERSION:
        yield Finding(
            "warning",
            "newer_library",
            f"The store has library version {version}, this program has {VERSION}.",
            "Update this installation of jobrouter.",
        )
    elif (version, digest) != (VERSION, ours.digest):
        yield Finding(
            "warning",
            "other_library",
            f"The store has another library (version {version}, {digest}) than this program ({ours.digest}).",
            "Restart the workers of the release that is to run: they load theirs.",
        )
    else:
        yield Finding("ok", "library", f"The library is version {version}, {digest}.")


def _code_of(entry: Any) -> str:
    pairs = dict(entry) if isinstance(entry, dict) else dict(zip(entry[::2], entry[1::2], strict=True))
    return str(pairs.get("library_code", ""))
