"""Connections for blocking reads, to servers that take them and then say nothing."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from engine.address import Address
from engine.clients import reading
from tests.runtime.test_connection import run, scripted


def test_a_server_that_lets_nobody_in_is_given_up(tmp_path: Path) -> None:
    async def work() -> None:
        async with scripted(tmp_path / "s", lambda _: None) as server:
            with pytest.raises(TimeoutError):
                async with reading(Address.parse(f"unix://{tmp_path / 's'}"), "n", connect_seconds=0.05):
                    pass
            # the server sees that nobody is there any more
            await asyncio.wait(server.talks)

    run(work)
