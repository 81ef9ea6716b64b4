"""Readiness: every reason and every warning, brought about in a real server."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import redis

from engine.address import Address
from engine.clients import administration
from engine.commands import JobCreate, PolicyUpsert, QueueUpsert, RouterStatus, WorkerUpsert
from engine.errors import NewerLibrary
from engine.health import Health
from engine.servers import Servers
from engine.store import Store, root_of
from tests import support
from tests.runtime.test_connection import PATIENCE_SECONDS, run, scripted


@pytest.fixture
def own_server(server_program: Path) -> Iterator[support.Server]:
    with support.server(server_program) as it:
        yield it


@pytest.fixture
def client(own_server: support.Server) -> Iterator[redis.Redis]:
    with own_server.client() as it:
        yield it


def report(url: str) -> tuple[bool, dict[str, Any]]:
    async def look() -> tuple[bool, dict[str, Any]]:
        store = Store.at(url)
        health = Health(store, ["main"])
        try:
            return await health()
        finally:
            await health.close()
            await store.close()

    return asyncio.run(look())


def test_ready(own_server: support.Server, client: redis.Redis) -> None:
    client.config_set("save", "900 1")
    ready, found = report(own_server.url)
    assert ready
    assert found["status"] == "ready"
    assert found["reasons"] == found["warnings"] == []
    assert found["settings"]["main"]["keep_finished_ms"] == 90 * 86_400_000
    assert found["library"]["version"] == 1


def test_missing_library_is_loaded(own_server: support.Server, client: redis.Redis) -> None:
    client.function_flush()
    assert report(own_server.url)[0]
    assert client.function_list("jr")


def test_library_that_cannot_be_loaded(own_server: support.Server, client: redis.Redis) -> None:
    client.function_flush()
    client.acl_setuser("poor", enabled=True, passwords=["+p"], commands=["+@all", "-function"], keys=["*"])
    ready, found = report(f"{own_server.url.replace('unix://', 'unix://poor:p@')}")
    assert not ready
    assert "library is missing" in found["reasons"][0]


def test_a_newer_library_without_our_functions(own_server: support.Server, client: redis.Redis) -> None:
    client.function_load(
        "#!lua name=jr\n-- version 99 digest 0\nredis.register_function('jr_other', function() end)",
        replace=True,
    )

    async def call() -> None:
        store = Store.at(own_server.url)
        try:
            await store.run(root_of("main"), RouterStatus())
        finally:
            await store.close()

    with pytest.raises(NewerLibrary, match="newer library than this process") as raised:
        asyncio.run(call())
    ready, found = report(own_server.url)
    assert not ready
    assert found["reasons"] == [str(raised.value)]


def test_unreachable(own_server: support.Server) -> None:
    own_server.kill()
    ready, found = report(own_server.url)
    assert not ready
    assert found["status"] == "unavailable"
    assert "unreachable" in found["reasons"][0]


@pytest.mark.one_server("REPLICAOF is not for nodes of one")
def test_replica_is_read_only(own_server: support.Server, client: redis.Redis) -> None:
    client.replicaof("127.0.0.1", "1")
    ready, found = report(own_server.url)
    assert not ready
    assert any("read-only" in reason for reason in found["reasons"])


def test_evicting(own_server: support.Server, client: redis.Redis) -> None:
    client.config_set("maxmemory-policy", "allkeys-lru")
    ready, found = report(own_server.url)
    assert not ready
    assert "allkeys-lru" in found["reasons"][0]


def test_warns_of_missing_persistence(own_server: support.Server) -> None:
    ready, found = report(own_server.url)
    assert ready
    assert any("persistence is off" in warning for warning in found["warnings"])


def test_warns_of_missing_notifications(own_server: support.Server, client: redis.Redis) -> None:
    client.config_set("notify-keyspace-events", "")
    ready, found = report(own_server.url)
    assert ready
    assert any("notifications are off" in warning for warning in found["warnings"])


def test_warns_of_unknown_notifications(own_server: support.Server, client: redis.Redis) -> None:
    client.acl_setuser("poor", enabled=True, passwords=["+p"], commands=["+@all", "-config"], keys=["*"])
    ready, found = report(f"{own_server.url.replace('unix://', 'unix://poor:p@')}")
    assert ready
    assert any("notifications are unknown" in warning for warning in found["warnings"])


def test_warns_of_an_overdue_agenda(own_server: support.Server, client: redis.Redis) -> None:
    store, root = support.SyncStore(client), root_of("main")
    store.load()
    store.run(root, PolicyUpsert(kind="distribution", id="p", mode="longestIdle", expires_ms=1000), 1)
    store.run(root, QueueUpsert(id="q", distribution="p"), 1)
    worker = WorkerUpsert(id="w", capacity=1, available=True, queues='"q"', channels='"voice"\t1\t')
    store.run(root, worker, 1)
    store.run(root, JobCreate(id="j", channel="voice", queue="q"), 1)
    ready, found = report(own_server.url)
    assert ready
    assert any("overdue" in warning for warning in found["warnings"])


def test_hanging_store_is_unreachable(own_server: support.Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engine.health.SECONDS", 0.2)
    assert own_server.process
    os.kill(own_server.process.pid, signal.SIGSTOP)
    try:
        ready, found = report(own_server.url)
    finally:
        os.kill(own_server.process.pid, signal.SIGCONT)
    assert not ready
    assert "unreachable" in found["reasons"][0]


@pytest.mark.parametrize("answers", [["HELLO", "CLIENT"], ["HELLO", "CLIENT", "INFO", "CONFIG"]])
def test_probes_of_a_store_that_hangs_share_one_look(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, answers: list[str]
) -> None:
    """They are told in time, whatever it does not answer, and cost it no connection each."""
    monkeypatch.setattr("engine.health.SECONDS", 0.2)
    replies = {"HELLO": b"%1\r\n+proto\r\n:3\r\n", "INFO": b"$0\r\n\r\n", "CONFIG": b"%0\r\n"}

    def answer(command: list[str]) -> bytes | None:
        return replies.get(command[0], b"+OK\r\n") if command[0] in answers else None

    async def work() -> None:
        async with scripted(tmp_path / "s", answer) as server:
            store = Store(Servers.of(f"unix://{tmp_path / 's'}", timeout=10 * PATIENCE_SECONDS))
            health = Health(store, ["main", "other"])
            for told in await asyncio.gather(*(health() for _ in range(50))):
                ready, found = told
                assert not ready
                assert found["reasons"] == ["the store is unreachable: no answer in 0.2 s"]
            # that of health, and perhaps that of the store
            assert server.callers <= 2
            await health.close()
            await store.close()

    run(work)


def test_a_store_that_has_hung_is_ready_again(
    own_server: support.Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert own_server.process
    pid = own_server.process.pid

    async def look() -> None:
        store = Store.at(own_server.url)
        health = Health(store, ["main"])
        assert (await health())[0]
        os.kill(pid, signal.SIGSTOP)
        monkeypatch.setattr("engine.health.SECONDS", 0.05)
        try:
            assert not (await health())[0]
        finally:
            os.kill(pid, signal.SIGCONT)
        monkeypatch.setattr("engine.health.SECONDS", PATIENCE_SECONDS)
        assert (await health())[0]
        await health.close()
        await store.close()

    asyncio.run(look())


def test_a_probe_that_goes_away_takes_the_look_from_nobody(own_server: support.Server) -> None:
    async def look() -> None:
        store = Store.at(own_server.url)
        health = Health(store, ["main"])
        first, second = asyncio.create_task(health()), asyncio.create_task(health())
        await asyncio.sleep(0)
        first.cancel()
        assert (await second)[0]
        await health.close()
        await store.close()

    asyncio.run(look())


def test_looks_side_by_side_when_servers_are_gone(own_server: support.Server) -> None:
    """Each closes what it does not need any more, and none what another has closed."""

    async def look() -> None:
        store = Store.at(own_server.url)
        health = Health(store, [])
        for name in ("a", "b"):
            client = administration(Address.parse(own_server.url))
            await client.ping()
            health._clients[Address.parse(f"redis://{name}:1")] = client
        looks = await asyncio.gather(health(), health())
        assert [ready for ready, _ in looks] == [True, True]
        assert not health._clients
        await health.close()
        await store.close()

    asyncio.run(look())
