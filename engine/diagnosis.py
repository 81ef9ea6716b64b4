"""What is not right with a store and its routers, in sentences, with what to do about it.

Everything here only reads: settings and state of the server, then of each router its agenda, its tasks, its
subscriptions, and the invariants of some or all of its entities.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any, Literal

import msgspec
from redis.asyncio import Redis
from redis.exceptions import RedisError

from engine.clients import administration
from engine.commands import EventList, RouterStatus, SubscriptionList
from engine.embedded import OPTIONS
from engine.errors import Failed, NewerLibrary, Refused, Unavailable
from engine.health import refusals_of
from engine.inspection import SAMPLE, problems
from engine.layout import SLOTS
from engine.library import VERSION, library, version_of
from engine.model import SubscriptionRecord
from engine.store import Store, root_of
from engine.worker.alarms import missing_flags

Level = Literal["ok", "warning", "critical"]

LEAST_VERSIONS = {"valkey": (8, 0), "redis": (7, 0)}
FULL = 0.9
"""The share of maxmemory from which on it is nearly full."""
SLOW_SECONDS = 0.05
"""A round trip to the store that is worth a warning."""

SWEPT_SECONDS = 5.0
"""How long nobody may have swept: workers do so once a second."""
LATE_SECONDS = 2.0
VERY_LATE_SECONDS = 60.0
LATE_TASK_SECONDS = 60.0
BEHIND_SECONDS = 60.0
"""How old the next event of a subscription may be."""
UNTAKEN_SECONDS = 30.0
CLOCK_SECONDS = 2.0
FALSE_CLOCK_SECONDS = 300.0
"""Signed requests may be 15 minutes off; clients have clocks of their own."""

SHOWN_PROBLEMS = 20

_LOST = (RedisError, Unavailable, OSError, TimeoutError)
_RECOMMENDED = "zset-max-listpack-entries"
_PORTION = 100


class Finding(msgspec.Struct, omit_defaults=True):
    """One thing that was looked at: how it is, and what to do unless it is well."""

    level: Level
    code: str
    text: str
    todo: str = ""
    router: str = ""


Advance = Callable[[int], None]


def worst(findings: list[Finding]) -> Level:
    """The level of the worst finding."""
    levels: list[Level] = ["critical", "warning"]
    return next((level for level in levels if any(one.level == level for one in findings)), "ok")


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
                        async for finding in _router(client, store, url, tenant, whole, advance):
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
                async for finding in _server(client):
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
    return Finding(
        "critical",
        "unreachable",
        f"{where}The store cannot be reached: {str(error).rstrip('.')}.",
        "Start it, or correct --redis-url; look into its log.",
        router,
    )


# ---- the server --------------------------------------------------------------------------------------------


async def _server(client: Redis) -> AsyncIterator[Finding]:
    started = time.monotonic()
    seconds, micros = await client.time()
    trip = time.monotonic() - started
    info: dict[str, Any] = await client.info("everything")
    yield _version(info)
    for reason in refusals_of(info):
        yield Finding(
            "critical",
            "refuses_writes",
            f"{_sentence(reason)}.",
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


# ---- a router ----------------------------------------------------------------------------------------------


async def _router(
    client: Redis, store: Store, url: str, tenant: str, whole: bool, advance: Advance
) -> AsyncIterator[Finding]:
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
    async for finding in _subscriptions(client, store, root, now_ms):
        finding.router = tenant
        yield finding
    async for finding in _invariants(url, tenant, whole, advance):
        finding.router = tenant
        yield finding


def _agenda(status: dict[str, Any], now_ms: int) -> Iterator[Finding]:
    since = (now_ms - int(status["swept_at"])) / 1000
    if since > SWEPT_SECONDS:
        last = f"for {_duration(since)}" if int(status["swept_at"]) else "ever"
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
            f"The agenda is {_duration(late)} late.",
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


async def _subscriptions(client: Redis, store: Store, root: str, now_ms: int) -> AsyncIterator[Finding]:
    number = wrong = cursor = 0
    while True:
        reply = await store.run(root, SubscriptionList(_PORTION, cursor))
        for row in reply["rows"]:
            record = SubscriptionRecord.parse(row)
            # who is still being asked, or switched off, gets none
            number += record.status == "enabled"
            finding = await _subscription(store, root, record, now_ms)
            if finding is not None:
                wrong += 1
                yield finding
        cursor = int(reply["next"])
        if not cursor:
            break
    untaken = int(await client.zcount(f"{root}:deliveries", "-inf", now_ms - UNTAKEN_SECONDS * 1000))
    if untaken:
        yield Finding(
            "warning",
            "untaken",
            f"{untaken} subscriptions are delivered by no worker.",
            "Start more workers, or look into their log.",
        )
    elif number and not wrong:
        them = "the one subscription that wants" if number == 1 else f"all {number} subscriptions that want"
        yield Finding("ok", "subscriptions", f"Events reach {them} them.")


_ADVICE = {
    "refused": (
        "has not agreed to get events",
        "Ask its endpoint again with POST /ext/v1/subscriptions/{id}:validate.",
    ),
    "failing": ("fails: too many of its events wait for another try", "Look why its endpoint refuses them."),
    "lagged": (
        "has lost events that were not kept for long enough",
        "Keep events for longer (--keep-events), or let its endpoint answer faster.",
    ),
}


async def _subscription(store: Store, root: str, found: SubscriptionRecord, now_ms: int) -> Finding | None:
    """What is wrong with a subscription, if anything is."""
    error = f" Its last error: {found.last_error}" if found.last_error else ""
    if found.status in _ADVICE:
        text, todo = _ADVICE[found.status]
        return Finding(
            "warning", f"subscription_{found.status}", f"Subscription {_named(found.id)} {text}.{error}", todo
        )
    if found.status != "enabled":
        return None
    rows = (await store.run(root, EventList(found.cursor, 1)))["rows"]
    behind = (now_ms - int(rows[0]["at"])) / 1000 if rows else 0.0
    if behind <= BEHIND_SECONDS:
        return None
    return Finding(
        "warning",
        "stuck_cursor",
        f"Subscription {_named(found.id)} is {_duration(behind)} behind.{error}",
        "Look whether workers run and whether its endpoint answers.",
    )


async def _invariants(url: str, tenant: str, whole: bool, advance: Advance) -> AsyncIterator[Finding]:
    number, found = 0, list[str]()
    async for seen, wrong in problems(url, tenant, None if whole else SAMPLE, load=False):
        number += seen
        found += wrong
        advance(seen)
    some = "" if whole else f" (at most {SAMPLE} of a kind; --whole verifies all)"
    if not found:
        yield Finding("ok", "invariants", f"{number} entities are sound{some}.")
        return
    for problem in found[:SHOWN_PROBLEMS]:
        yield Finding(
            "critical",
            "unsound",
            f"{_sentence(problem)}.",
            "Report it with this text: the library alone should write to the store.",
        )
    if len(found) > SHOWN_PROBLEMS:
        more = len(found) - SHOWN_PROBLEMS
        yield Finding(
            "critical", "unsound", f"There are {more} more such problems.", "See 'jobrouter check'."
        )


# ---- words -------------------------------------------------------------------------------------------------


async def _now_ms(client: Redis) -> int:
    seconds, micros = await client.time()
    return int(seconds) * 1000 + int(micros) // 1000


def _duration(seconds: float) -> str:
    """A time in the unit that suits it."""
    for length, unit in ((86_400, "days"), (3_600, "hours"), (60, "minutes")):
        if seconds >= 2 * length:
            return f"{seconds / length:.0f} {unit}"
    return f"{seconds:.1f} seconds"


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:].rstrip(".")


def _named(name: str) -> str:
    return f"'{name}'" if name.isprintable() else ascii(name)
