"""A store that lets nobody in, or not everybody: each part ends with one sentence and status 1."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterator
from pathlib import Path

import pytest

from api.cli import main
from tests import support
from tests.runtime.processes import jobrouter

PASSWORD = "password-of-the-store"
KEYS = {"JOBROUTER_ACCESS_KEYS": f"main={b64encode(support.KEY).decode()}"}
PARTS = (
    ("worker",),
    ("api", "--port", "0"),
    ("api", "--port", "0", "--workers", "2"),
    ("serve", "--port", "0", "--tls-port", "0"),
)


@pytest.fixture(scope="module")
def locked(server_program: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[support.Server]:
    """A store with a password, and a user who only reads."""
    it = support.Server(server_program, tmp_path_factory.mktemp("locked"), user="default", password=PASSWORD)
    try:
        it.start(requirepass=PASSWORD)
        with it.client() as client:
            rules = ("on", f">{PASSWORD}", "~jr:*", "+@read", "+info")
            client.execute_command("ACL", "SETUSER", "reader", *rules)  # type: ignore[no-untyped-call]
        yield it
    finally:
        it.kill()


@pytest.mark.parametrize("part", PARTS)
@pytest.mark.parametrize(
    ("user", "password", "text"),
    [
        ("", "", "the store wants a password: put it into --redis-url (redis://:PASSWORD@"),
        ("default", "wrong", "the store does not take this user and password"),
        ("reader", PASSWORD, "NOPERM"),
    ],
)
def test_one_sentence(
    locked: support.Server, tmp_path: Path, part: tuple[str, ...], user: str, password: str, text: str
) -> None:
    url = locked.signed_in(user, password).url
    more = ("--data-dir", str(tmp_path)) if part[0] == "serve" else ()
    with jobrouter(*part, "--log-format", "text", "--redis-url", url, *more, **KEYS) as it:
        assert it.process.wait(support.PATIENCE_SECONDS) == 1
        told = it.rest()
    assert len([line for line in told.splitlines() if line.startswith("jobrouter: ")]) == 1, told
    assert text in told
    for never in ("Traceback", "never retrieved", "ready;", "working;", PASSWORD):
        assert never not in told


def test_ready_is_told_when_the_store_was_reached(server_program: Path, tmp_path: Path) -> None:
    it = support.Server(server_program, tmp_path)
    try:
        where = ("--log-format", "text", "--redis-url", it.url)
        with jobrouter("worker", *where) as worker, jobrouter("api", "--port", "0", *where, **KEYS) as api:
            for one in (worker, api):
                one.wait_for("waiting for the store")
                assert not any("Ctrl-C" in line for line in one.lines)
            it.start()
            worker.wait_for("^working; Ctrl-C ends it$")
            api.wait_for("^ready; Ctrl-C ends it$")
    finally:
        it.kill()


def test_the_doctor_knows_why(locked: support.Server, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor", "--redis-url", locked.signed_in("", "").url]) == 2
    assert "redis://:PASSWORD@" in capsys.readouterr().out
