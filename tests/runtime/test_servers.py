"""Looks at the topology, when the store is closed meanwhile."""

from __future__ import annotations

import asyncio

import pytest

from engine import servers as module
from engine import unending
from engine.address import Address
from engine.errors import Unavailable
from engine.layout import Layout
from engine.servers import Servers
from tests.runtime.test_connection import refused, run

ROOT = "jr:{t}"


class Waiting:
    """A topology that tells where the primary is when it is let."""

    fixed = False

    def __init__(self) -> None:
        self.asked = asyncio.Event()
        self.tells = asyncio.Event()

    async def look(self) -> Layout:
        self.asked.set()
        await self.tells.wait()
        return Layout.single(Address.parse("redis://127.0.0.1:1"))

    async def close(self) -> None:
        pass


def test_who_waits_for_a_look_is_told_that_the_store_is_closed() -> None:
    async def work() -> None:
        topology = Waiting()
        servers = Servers(topology)
        found = asyncio.create_task(servers.find(ROOT))
        await topology.asked.wait()
        await servers.close()
        await refused(found, "the store is closed")

    run(work)


@pytest.mark.parametrize("turns", range(10))
def test_nobody_looks_on_when_the_store_is_closed(turns: int) -> None:
    async def work() -> None:
        topology = Waiting()
        servers = Servers(topology)
        found = asyncio.create_task(servers.find(ROOT))
        await topology.asked.wait()
        topology.tells.set()
        for _ in range(turns):
            await asyncio.sleep(0)
        await servers.close()
        [outcome] = await asyncio.gather(found, return_exceptions=True)
        assert not isinstance(outcome, BaseException) or isinstance(outcome, Unavailable)
        assert asyncio.all_tasks() == {asyncio.current_task()}

    run(work)


def test_a_topology_that_cannot_be_read_is_told_once(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(module, "LOOK_SECONDS", 0.0)
    monkeypatch.setattr(module, "LEAST_SECONDS", 0.0)
    monkeypatch.setattr(unending, "PAUSE_SECONDS", 0.0)

    async def work() -> None:
        looks, enough = 0, asyncio.Event()

        class Odd(Waiting):
            async def look(self) -> Layout:
                nonlocal looks
                looks += 1
                if 1 < looks < 4:
                    raise KeyError("odd")
                if looks == 5:
                    enough.set()
                return Layout.single(Address.parse("redis://127.0.0.1:1"))

        servers = Servers(Odd())
        await servers.find(ROOT)
        await enough.wait()
        await servers.close()

    run(work)
    told = [record.getMessage() for record in caplog.records if record.levelname == "ERROR"]
    assert told == ["looking at the topology of the store: failed, going on"]
