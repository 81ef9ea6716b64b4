"""The subscription to the alarms, when the server says nothing any more: to a scripted server."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

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


def test_a_server_that_answers_no_ping_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(alarms, "_LISTEN_SECONDS", 0.05)
    monkeypatch.setattr(alarms, "_PAUSE_SECONDS", 0.001)
    subscribed = 0

    async def work() -> None:
        again = asyncio.Event()

        def answer(command: list[str]) -> bytes | None:
            nonlocal subscribed
            if command[0] == "SUBSCRIBE":
                subscribed += 1
                if subscribed == 2:
                    again.set()
                channel = command[1].encode()
                return b">3\r\n$9\r\nsubscribe\r\n$%d\r\n%b\r\n:1\r\n" % (len(channel), channel)
            if command[0] == "HELLO":
                return b"%1\r\n+proto\r\n:3\r\n"
            if command[:2] == ["CONFIG", "GET"]:
                # a server that does not know the setting
                return b"%0\r\n"
            return None if command[0] == "PING" else b"+OK\r\n"

        async with scripted(tmp_path / "s", answer):
            servers = Servers(OneServer(Address.parse(f"unix://{tmp_path / 's'}")))
            task = asyncio.create_task(Alarms(servers).run([Waiting()]))
            try:
                await again.wait()
            finally:
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)

    run(work)
