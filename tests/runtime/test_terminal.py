"""Commands for operators: users' texts do nothing to a terminal, bad operands end in one sentence."""

from __future__ import annotations

import msgspec
import pytest

from api.cli import doctor, main
from api.cli.plain import plain, plain_json, plain_line
from engine import commands as c
from engine.diagnosis import Finding
from tests.support import Server, SyncStore

HOSTILE = "a\x1b[2J\x1b]0;owned\x07\nb\x9b1m"
COMMANDS = {
    "check": (),
    "doctor": (),
    "why": ("j",),
    "top": ("--once",),
    "history": ("job", "j"),
    "subscriptions": ("list",),
}


def harmless(text: str) -> bool:
    return all(letter.isprintable() or letter == "\n" for letter in text)


def test_texts() -> None:
    assert plain("a b") == plain_line("a b") == "a b"
    assert plain("a\nb") == r"'a\nb'"
    assert plain_line("of a\nb\udcff.") == r"of a\nb\udcff."
    text = '{\n"a": "ü\x7f\x9b\U000e0001"}'
    assert harmless(plain_json(text))
    assert msgspec.json.decode(plain_json(text)) == msgspec.json.decode(text)


def test_why(
    server: Server, store: SyncStore, tenant: str, root: str, capsys: pytest.CaptureFixture[str]
) -> None:
    store.run(root, c.PolicyUpsert("distribution", "p", expires_ms=90_000, mode="longestIdle", document="{}"))
    store.run(root, c.QueueUpsert("q", distribution="p"))
    store.run(root, c.JobCreate(HOSTILE, channel="voice", queue="q"))
    where = ("--redis-url", server.url, "--tenants", tenant)
    assert main(["why", HOSTILE, *where]) == 0
    shown = capsys.readouterr().out
    assert harmless(shown)
    assert r"Job a\x1b[2J\x1b]0;owned\x07\nb\x9b1m waits" in shown
    for words in (("no" + HOSTILE,), (HOSTILE, "no" + HOSTILE)):
        assert main(["why", *words, *where]) == 1
        told = capsys.readouterr().err
        assert harmless(told)
        assert told.count("\n") == 1


def test_findings() -> None:
    shown = doctor.lines(Finding("warning", "x", f"Job {HOSTILE} hangs.", f"Delete {HOSTILE}.", "main"))
    assert harmless("\n".join(shown))
    assert len(shown) == 2


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("url", ["nonsense", "redis://[::1", "redis://localhost:abc", "http://x"])
def test_addresses_of_no_store(command: str, url: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([command, *COMMANDS[command], "--redis-url", url]) == 2
    told = capsys.readouterr().err
    assert told.startswith("jobrouter: --redis-url cannot be used: ")
    assert told.count("\n") == 1


def test_operands_that_are_no_text(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert main(["why", "\udcff"]) == 2
    assert capsys.readouterr().err == "jobrouter: The argument '\\udcff' is not valid UTF-8.\n"
    monkeypatch.setenv("JOBROUTER_DATA_DIR", "\udcff")
    assert main(["why", "j"]) == 2
    assert capsys.readouterr().err == "jobrouter: JOBROUTER_DATA_DIR is not valid UTF-8.\n"


@pytest.mark.parametrize("name", ["x" * 257, "a\0b"])
def test_subscriptions_that_http_cannot_name(
    server: Server, tenant: str, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    where = ("--redis-url", server.url, "--tenants", tenant)
    assert main(["subscriptions", "add", name, "http://a.example.com/", *where]) == 2
    assert "An id has 1 to 256 characters" in capsys.readouterr().err
