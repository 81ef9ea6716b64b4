"""A data directory that is damaged: each command says so in one sentence, and leaves it as it is."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from api.cli import main

SERVE = ("serve", "--port", "0", "--tls-port", "0", "--data-dir")


def _file(folder: Path, name: str, content: bytes) -> None:
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(content)


DAMAGES: dict[str, tuple[Callable[[Path], None], str]] = {
    "it is a file": (lambda folder: _file(folder.parent, folder.name, b""), "cannot be used"),
    "it lies in a file": (
        lambda folder: _file(folder.parent.parent, folder.parent.name, b""),
        "cannot be used",
    ),
    "access-key is no text": (
        lambda folder: _file(folder, "access-key", b"\xff\xfe"),
        "access-key holds no key",
    ),
    "access-key is empty": (lambda folder: _file(folder, "access-key", b"\n"), "access-key holds no key"),
    "view-key is no text": (lambda folder: _file(folder, "view-key", b"\xff\xfe"), "view-key holds no key"),
    "view-key is empty": (lambda folder: _file(folder, "view-key", b""), "view-key holds no key"),
    "access-key is a folder": (
        lambda folder: (folder / "access-key").mkdir(parents=True),
        "access-key: Is a",
    ),
    "lock is a folder": (lambda folder: (folder / "lock").mkdir(parents=True), "lock: Is a directory"),
    "tls is a file": (lambda folder: _file(folder, "tls", b""), "tls: File exists"),
    "server is a file": (lambda folder: _file(folder, "server", b""), "server: File exists"),
    "the server's lock is a folder": (
        lambda folder: (folder / "server" / "lock").mkdir(parents=True),
        "lock: Is a directory",
    ),
    "the server's log is a folder": (
        lambda folder: (folder / "server" / "log").mkdir(parents=True),
        "log: Is a directory",
    ),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_serve(damage: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "in" / "data"
    does, text = DAMAGES[damage]
    does(folder)
    assert main([*SERVE, str(folder)]) == 1
    told = capsys.readouterr().err
    assert told.startswith("jobrouter: The ")
    assert text in told
    assert told.count("\n") == 1


@pytest.mark.parametrize("content", [None, b"\xff"])
def test_commands_beside_it(
    content: bytes | None, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    if content is None:
        _file(tmp_path, "data", b"")
    else:
        _file(tmp_path, "data/server/socket", content)
    assert main(["why", "j", "--data-dir", str(tmp_path / "data")]) == 2
    assert capsys.readouterr().err.startswith("jobrouter: No embedded server runs on")
