"""Writes that wait for replicas, when their callers go away: to a scripted server."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from engine.address import Address
from engine.replicated import Durability, ReplicatedConnection
from tests.runtime.test_connection import PATIENCE_SECONDS, run, scripted

WRITE = ("FCALL", "f", "1", "jr:{t}")


@pytest.mark.parametrize("turns", range(12))
def test_a_caller_that_goes_away_takes_the_answer_from_nobody(tmp_path: Path, turns: int) -> None:
    """Those who share its WAIT are answered, and so is whoever comes later."""

    async def work() -> None:
        waits = asyncio.Event()

        def slow(command: list[str]) -> bytes | None:
            if command[0] != "WAIT":
                return b"+OK\r\n"
            waits.set()
            return None

        async with scripted(tmp_path / "s", slow) as server:
            address = Address.parse(f"unix://{tmp_path / 's'}")
            it = ReplicatedConnection(address, Durability(1), timeout=PATIENCE_SECONDS, on_lost=lambda: None)
            gone, stays = (asyncio.create_task(it.call(*WRITE)) for _ in range(2))
            await waits.wait()
            for _ in range(turns):
                await asyncio.sleep(0)
            gone.cancel()
            await asyncio.gather(gone, return_exceptions=True)
            assert gone.cancelled()
            server.answer = lambda command: b":1\r\n" if command[0] == "WAIT" else b"+OK\r\n"
            for writer in server.talks.values():
                writer.write(b":1\r\n")
            assert await stays == "OK"
            assert await it.call(*WRITE) == "OK"
            assert server.callers == 1
            await it.close()

    run(work)
