"""``jobrouter doctor``: each thing that can be wrong is named, with what to do, and tells by its status."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import redis

from api.cli.doctor import lines, show
from engine import commands as c
from engine import inspection
from engine.diagnosis import Finding, diagnose, routers, servers, subscriptions, worst
from engine.store import root_of
from tests import support
from tests.runtime.processes import jobrouter, serving

ROOT = root_of("main")


@pytest.fixture
def own_server(server_program: Path) -> Iterator[support.Server]:
    with support.server(server_program) as it:
        with it.client() as client:
            support.SyncStore(client).load()
        yield it


@pytest.fixture
def client(own_server: support.Server) -> Iterator[redis.Redis]:
    with own_server.client() as it:
        yield it


@pytest.fixture
def store(client: redis.Redis) -> support.SyncStore:
    """A store with a router in which a job waits, swept just now."""
    it = support.SyncStore(client)
    it.run(ROOT, c.PolicyUpsert(kind="distribution", id="p", mode="longestIdle", expires_ms=1000))
    it.run(ROOT, c.QueueUpsert(id="q", distribution="p"))
    it.run(ROOT, c.JobCreate(id="j", channel="voice", queue="q"))
    it.run(ROOT, c.AgendaDue())
    return it


def look(url: str, *tenants: str, whole: bool = False) -> list[Finding]:
    async def work() -> list[Finding]:
        return [one async for one in diagnose(url, list(tenants or ("main",)), whole=whole)]

    return asyncio.run(work())


def found(url: str, code: str, *tenants: str) -> Finding:
    """The finding of a code, which must be there once."""
    (one,) = (one for one in look(url, *tenants) if one.code == code)
    return one


def levels(url: str) -> dict[str, str]:
    return {one.code: one.level for one in look(url)}


def test_all_is_well(own_server: support.Server, client: redis.Redis, store: support.SyncStore) -> None:
    client.config_set("save", "900 1")
    findings = look(own_server.url, whole=True)
    assert worst(findings) == "ok", findings
    codes = {one.code for one in findings}
    assert {"version", "persistence", "notifications", "clock", "library", "agenda", "invariants"} == codes
    assert all(one.text.endswith(".") for one in findings)


def test_what_a_store_lacks(
    own_server: support.Server, client: redis.Redis, store: support.SyncStore
) -> None:
    client.config_set("notify-keyspace-events", "")
    client.config_set("maxmemory-policy", "allkeys-lru")
    client.config_set("zset-max-listpack-entries", "128")
    told = levels(own_server.url)
    assert told["no_persistence"] == "warning"
    assert told["no_notifications"] == "warning"
    assert told["refuses_writes"] == "critical"
    assert told["recommended"] == "ok"
    for one in look(own_server.url):
        assert one.level == "ok" or one.todo, one


def test_late_persistence(own_server: support.Server, client: redis.Redis, store: support.SyncStore) -> None:
    client.config_set("appendonly", "yes")
    client.config_set("appendfsync", "no")
    assert levels(own_server.url)["late_persistence"] == "warning"


def test_settings_that_are_not_shown(
    own_server: support.Server, client: redis.Redis, store: support.SyncStore
) -> None:
    client.acl_setuser("poor", enabled=True, passwords=["+p"], commands=["+@all", "-config"], keys=["*"])
    one = found(own_server.url.replace("unix://", "unix://poor:p@"), "settings_unknown")
    assert one.level == "warning"
    assert "CONFIG GET" in one.todo


def test_full_memory(own_server: support.Server, client: redis.Redis, store: support.SyncStore) -> None:
    used = int(client.info("memory")["used_memory"])
    client.config_set("maxmemory", used * 4)
    assert found(own_server.url, "memory").level == "ok"
    client.config_set("maxmemory", used)
    assert found(own_server.url, "memory").level in ("warning", "critical")
    client.config_set("maxmemory", 0)


def test_old_server() -> None:
    assert servers._version({"redis_version": "6.2.1"}).level == "critical"
    assert servers._version({"redis_version": "7.0.0"}).level == "ok"
    assert servers._version({"valkey_version": "7.2.5", "redis_version": "7.2.4"}).level == "critical"
    assert servers._version({"valkey_version": "8.0.0", "redis_version": "7.2.4"}).level == "ok"


@pytest.mark.parametrize(
    ("ahead", "trip", "level", "word"),
    [
        (0.1, 0.001, "ok", "agree"),
        (-0.5, 0.001, "ok", "agree"),
        (3.0, 0.001, "warning", "3.0 s ahead"),
        (-400.0, 0.001, "critical", "400.0 s behind"),
        (0.0, 0.08, "warning", "80 ms"),
    ],
)
def test_clocks(ahead: float, trip: float, level: str, word: str) -> None:
    one = servers._clock(ahead, trip)
    assert one.level == level
    assert word in one.text


def test_no_worker(own_server: support.Server, store: support.SyncStore) -> None:
    store.redis.hset(ROOT, "swept", f"{int(time.time() * 1000) - 600_000} 0 0")
    one = found(own_server.url, "no_worker")
    assert one.level == "critical"
    assert one.text == "No worker has swept for 10 minutes: offers do not expire, jobs do not close."
    assert "jobrouter worker" in one.todo
    assert one.router == "main"


@pytest.mark.parametrize(("late", "level"), [(10_000, "warning"), (120_000, "critical")])
def test_overdue_agenda(own_server: support.Server, store: support.SyncStore, late: int, level: str) -> None:
    store.redis.zadd(f"{ROOT}:agenda", {"life:j": int(time.time() * 1000) - late})
    assert found(own_server.url, "overdue").level == level


def test_late_tasks(own_server: support.Server, store: support.SyncStore) -> None:
    store.redis.zadd(f"{ROOT}:tasks", {"classify:j": 1})
    assert found(own_server.url, "late_tasks").level == "warning"


def test_orphans_and_damage(own_server: support.Server, store: support.SyncStore) -> None:
    store.redis.zadd(f"{ROOT}:agenda", {"schedule:gone": 4_102_444_800_000})
    one = found(own_server.url, "unsound")
    assert one.level == "critical"
    assert "Job gone is gone but on the agenda" in one.text


def test_only_the_first_problems_are_listed(own_server: support.Server, store: support.SyncStore) -> None:
    rows = {f"schedule:gone{n}": 4_102_444_800_000 for n in range(routers.SHOWN_PROBLEMS + 5)}
    store.redis.zadd(f"{ROOT}:agenda", rows)
    unsound = [one for one in look(own_server.url) if one.code == "unsound"]
    assert len(unsound) == routers.SHOWN_PROBLEMS + 1
    assert "5 more" in unsound[-1].text


def test_what_is_found_again_and_again_is_told_once(
    own_server: support.Server, store: support.SyncStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What concerns the whole router is found with each slice of its entities."""
    monkeypatch.setattr(inspection, "SLICE", 1)
    store.redis.zadd(f"{ROOT}:closed", {"gone": 1})
    one = found(own_server.url, "unsound")
    assert (one.text, one.times) == ("The closed queues are counted wrongly.", 2)
    assert lines(one)[0].endswith("The closed queues are counted wrongly (2 times).")


def test_what_is_to_be_done_about_several_is_told_once(capsys: pytest.CaptureFixture[str]) -> None:
    report = "Report it."
    findings = [
        Finding("critical", "unsound", "Job a is unsound.", report),
        Finding("critical", "unsound", "Job b is unsound.", report),
        Finding("warning", "memory", "It is nearly full.", "Add some."),
        Finding("warning", "unsound", "Job c is unsound.", report),
    ]
    show(findings, as_json=False)
    assert capsys.readouterr().out.splitlines() == [
        "critical  Job a is unsound.",
        "critical  Job b is unsound.",
        "          → Report it.",
        "warning   It is nearly full.",
        "          → Add some.",
        "warning   Job c is unsound.",
        "          → Report it.",
    ]


def test_some_entities_of_many(
    own_server: support.Server, store: support.SyncStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(routers, "SAMPLE", 3)
    for n in range(9):
        store.run(ROOT, c.JobCreate(id=f"j{n}", channel="voice", queue="q"))
    assert found(own_server.url, "invariants").text.startswith("4 entities are sound (at most 3")
    (whole,) = (one for one in look(own_server.url, whole=True) if one.code == "invariants")
    assert whole.text == "11 entities are sound."


@pytest.mark.parametrize(
    ("status", "code"),
    [
        ("refused", "subscription_refused"),
        ("failing", "subscription_failing"),
        ("lagged", "subscription_lagged"),
    ],
)
def test_subscriptions_that_are_not_well(
    own_server: support.Server, store: support.SyncStore, status: str, code: str
) -> None:
    subscribe(store, status)
    one = found(own_server.url, code)
    assert one.level == "warning"
    assert "'crm'" in one.text
    assert one.todo


def subscribe(store: support.SyncStore, status: str, cursor: int = 10**9) -> None:
    """A subscription as its record stands."""
    fields = {
        "doc": 1,
        "rev": 1,
        "created": 1,
        "modified_at": 1,
        "status": status,
        "cursor": cursor,
        "document": "{}",
    }
    store.redis.hset(f"{ROOT}:subscription:crm", mapping=fields)
    store.redis.zadd(f"{ROOT}:subscriptions", {"crm": 1})


def test_stuck_cursor(
    own_server: support.Server, store: support.SyncStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    subscribe(store, "enabled", 0)
    assert found(own_server.url, "subscriptions").level == "ok"
    monkeypatch.setattr(subscriptions, "BEHIND_SECONDS", -1)
    assert found(own_server.url, "stuck_cursor").level == "warning"


def test_who_has_not_agreed_gets_no_events(own_server: support.Server, store: support.SyncStore) -> None:
    subscribe(store, "validating")
    assert not [one for one in look(own_server.url) if one.code == "subscriptions"]


def test_subscriptions_that_nobody_delivers(own_server: support.Server, store: support.SyncStore) -> None:
    store.redis.zadd(f"{ROOT}:deliveries", {"crm": 1})
    assert found(own_server.url, "untaken").level == "warning"


def test_a_router_that_is_not_there(own_server: support.Server, store: support.SyncStore) -> None:
    one = found(own_server.url, "no_router", "mistyped")
    assert (one.level, one.router) == ("warning", "mistyped")


def test_a_store_without_the_library_is_left_as_it_is(
    own_server: support.Server, client: redis.Redis
) -> None:
    client.function_flush()
    assert levels(own_server.url)["no_library"] == "warning"
    assert not client.function_list("jr")


def test_another_library(own_server: support.Server, client: redis.Redis) -> None:
    from engine.library import library

    source = library().source
    for header, code in (
        ("-- version 1 digest 0000", "other_library"),
        ("-- version 99 digest 0000", "newer_library"),
    ):
        text = source.replace(f"-- version 1 digest {library().digest}", header)
        client.function_load(text, replace=True)
        assert levels(own_server.url)[code] == "warning"
        assert header in str(client.function_list("jr", withcode=True))


def test_unreachable(own_server: support.Server) -> None:
    own_server.kill()
    one = found(own_server.url, "unreachable")
    assert one.level == "critical"


# ---- the command -------------------------------------------------------------------------------------------


def test_the_lines_are_readable() -> None:
    shown = lines(Finding("warning", "x", "It is so, " * 20 + "really.", "Do this.", "main"))
    assert shown[0].startswith("warning   main: It is so")
    assert shown[-1] == "          → Do this."
    assert all(len(line) <= 100 for line in shown)


def test_the_command_tells_by_its_status(own_server: support.Server, store: support.SyncStore) -> None:
    with jobrouter("doctor", "--redis-url", own_server.url) as it:
        assert it.process.wait(30) == 1
        assert "no_persistence" not in it.rest()
        assert "appendonly yes" in it.rest()
    store.redis.config_set("save", "900 1")
    store.run(ROOT, c.AgendaDue())
    with jobrouter("doctor", "--redis-url", own_server.url, "--json") as it:
        assert it.process.wait(30) == 0
        report: Any = json.loads(it.rest())
    assert report["status"] == "ok"
    assert {
        "level": "ok",
        "code": "agenda",
        "text": "What is due is done in time.",
        "router": "main",
    } in report["findings"]
    own_server.kill()
    with jobrouter("doctor", "--redis-url", own_server.url) as it:
        assert it.process.wait(30) == 2
        assert "Traceback" not in it.rest()


def test_the_embedded_server_is_well(tmp_path: Path) -> None:
    with serving(tmp_path), jobrouter("doctor", "--data-dir", str(tmp_path), "--whole") as it:
        assert it.process.wait(30) == 0, it.rest()
        assert "ok: 0 critical, 0 warnings" in it.rest()
