"""The subscription to the alarms, in what nobody has foreseen: to a scripted server."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from engine import unending
from engine.address import Address
from engine.servers import Servers
from engine.topology import OneServer
from engine.worker import alarms
from engine.worker.alarms import Alarms
from tests.runtime.test_connection import run, scripted


class Waiting:
    root = "jr:{t}"
    alarm = "jr:{t}:alarm"

    def alarm_set(self) -> None:
        pass

    def alarm_expired(self) -> None:
        pass


@contextlib.asynccontextmanager
async def listening(
    path: Path, one: Waiting, subscribed: Callable[[], None] = lambda: None
) -> AsyncIterator[Alarms]:
    """Alarms of a server that tells of subscriptions, and answers no PING."""

    def answer(command: list[str]) -> bytes | None:
        if command[0] == "SUBSCRIBE":
            subscribed()
            channel = command[1].encode()
            return b">3\r\n$9\r\nsubscribe\r\n$%d\r\n%b\r\n:1\r\n" % (len(channel), channel)
        if command[0] == "HELLO":
            return b"%1\r\n+proto\r\n:3\r\n"
        if command[:2] == ["CONFIG", "GET"]:
            # a server that does not know the setting
            return b"%0\r\n"
        return None if command[0] == "PING" else b"+OK\r\n"

    async with scripted(path, answer):
        it = Alarms(Servers(OneServer(Address.parse(f"unix://{path}"))))
        task = asyncio.create_task(it.run([one]))
        try:
            yield it
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


def test_a_server_that_answers_no_ping_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(alarms, "_LISTEN_SECONDS", 0.05)
    monkeypatch.setattr(alarms, "_PAUSE_SECONDS", 0.001)
    times = 0

    async def work() -> None:
        again = asyncio.Event()

        def subscribed() -> None:
            nonlocal times
            times += 1
            if times == 2:
                again.set()

        async with listening(tmp_path / "s", Waiting(), subscribed):
            await again.wait()

    run(work)


def test_what_nobody_has_foreseen_is_told_and_they_are_listened_to_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(unending, "PAUSE_SECONDS", 0.001)

    async def work() -> None:
        again = asyncio.Event()

        class Odd(Waiting):
            times = 0

            def alarm_set(self) -> None:
                self.times += 1
                if self.times < 3:
                    raise KeyError("odd")
                again.set()

        async with listening(tmp_path / "s", Odd()) as it:
            await again.wait()
            assert it.listening.is_set()

    run(work)
    [told] = (record for record in caplog.records if record.levelname == "ERROR")
    assert told.name == "jobrouter.worker"
    assert "listening to alarms of" in told.getMessage()
    assert told.exc_info
    assert told.exc_info[0] is KeyError


def test_a_topology_that_cannot_be_read_ends_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unending, "PAUSE_SECONDS", 0.001)
    real, times = Servers.address, 0

    async def address(servers: Servers, root: str) -> Address:
        nonlocal times
        times += 1
        if times == 1:
            raise KeyError("odd")
        return await real(servers, root)

    monkeypatch.setattr(Servers, "address", address)

    async def work() -> None:
        async with listening(tmp_path / "s", Waiting()) as it:
            await it.listening.wait()

    run(work)
