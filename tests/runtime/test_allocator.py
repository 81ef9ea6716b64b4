"""The embedded server takes its memory from mimalloc."""

from __future__ import annotations

import asyncio
import importlib.metadata
from pathlib import Path

import pytest

from engine import allocator, server_program
from engine.data_directory import DataDirectory
from engine.embedded import Embedded, environment
from engine.server_program import find_program


@pytest.fixture(autouse=True)
def nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LD_PRELOAD", raising=False)


@pytest.fixture
def program() -> Path:
    """The server that comes with the package."""
    found = find_program()
    assert server_program.is_of_wheel(found)
    return found


def test_the_embedded_server_has_it(tmp_path: Path, program: Path) -> None:
    async def work() -> str:
        with DataDirectory(tmp_path) as directory:
            server = Embedded(directory, program)
            await server.start()
            mapped = Path(f"/proc/{server.pid}/maps").read_text()
            await server.stop()
            return mapped

    assert "libmimalloc.so" in asyncio.run(work())


def test_another_choice_stays(program: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LD_PRELOAD", "libjemalloc.so.2")
    assert environment(program)["LD_PRELOAD"] == "libjemalloc.so.2"


def test_servers_of_a_system_have_their_own(tmp_path: Path) -> None:
    assert allocator.variables(tmp_path / "redis-server") == {}


def test_it_is_no_more_than_faster(program: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the package is missing, or other systems load other files, the server does without."""
    assert allocator.variables(program)
    monkeypatch.setattr(allocator, "_PACKAGE", "never-heard-of")
    assert allocator.variables(program) == {}
    monkeypatch.undo()
    monkeypatch.setattr("sys.platform", "darwin")
    assert allocator.variables(program) == {}


@pytest.mark.parametrize("folder", ["a b", "a:b"])
def test_a_path_that_the_loader_would_cut(
    program: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, folder: str
) -> None:
    class File:
        name = "libmimalloc.so"

        def locate(self) -> Path:
            return tmp_path / folder / self.name

    monkeypatch.setattr(importlib.metadata, "files", lambda name: [File()])
    assert allocator.variables(program) == {}
