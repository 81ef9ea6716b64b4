"""``jobrouter top``: what one frame shows, and that users' texts stay texts."""

from __future__ import annotations

import asyncio
import os
import pty
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Any

import pytest
from rich.console import Console

from api.cli import main
from api.cli.top import duration, frame
from engine import commands as c
from engine import glance as looking
from engine.glance import Glance, Queue, glance
from engine.store import Store, root_of
from tests import support
from tests.runtime.processes import ROOT, jobrouter

OpenStore = Callable[[], AbstractAsyncContextManager[Store]]


def shown(seen: Glance, rows: int = 20) -> str:
    console = Console(width=120, record=True, file=open(os.devnull, "w"), highlight=False)  # noqa: SIM115
    console.print(frame("main", seen, rows))
    text = console.export_text()
    console.file.close()
    return text


def look(open_store: OpenStore, root: str) -> Glance:
    async def work() -> Glance:
        async with open_store() as store:
            return await glance(store, root)

    return asyncio.run(work())


def build(store: support.SyncStore, root: str) -> None:
    """A queue of three waiting jobs, one of them offered; one that nobody fits."""
    store.run(root, c.PolicyUpsert(kind="distribution", id="p", mode="longestIdle", expires_ms=60_000))
    store.run(root, c.QueueUpsert(id="sales", distribution="p"))
    store.run(root, c.QueueUpsert(id="empty", distribution="p"))
    worker = {"queues": '"sales"', "channels": '"voice"\t1\t'}
    store.run(root, c.WorkerUpsert(id="anna", capacity=2, available=True, **worker))
    store.run(root, c.WorkerUpsert(id="bob", capacity=2, **worker))
    store.run(root, c.JobCreate(id="call-1", channel="voice", queue="sales", priority=7))
    store.run(root, c.JobCreate(id="call-2", channel="voice", queue="sales"))
    store.run(root, c.JobCreate(id="fax-1", channel="fax", queue="sales"))


def test_a_glance(open_store: OpenStore, store: support.SyncStore, root: str) -> None:
    build(store, root)
    seen = look(open_store, root)
    assert [(queue.id, queue.length) for queue in seen.queues] == [("sales", 3), ("empty", 0)]
    assert seen.queues[0].priorities == [(7, 1), (1, 2)]
    assert seen.queues[0].unmatchable == 1
    assert [(w.id, w.state, w.used, w.offers) for w in seen.workers] == [
        ("anna", "active", 2, 2),
        ("bob", "inactive", 0, 0),
    ]
    assert {(offer.job, offer.worker) for offer in seen.offers} == {("call-1", "anna"), ("call-2", "anna")}
    assert seen.rates["RouterJobReceived"] == pytest.approx(0.3)
    assert not seen.more_queues
    assert not seen.more_workers


def test_a_look_is_bounded(
    open_store: OpenStore, store: support.SyncStore, root: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    build(store, root)
    monkeypatch.setattr(looking, "PAGE", 1)
    monkeypatch.setattr(looking, "QUEUE_PAGES", 1)
    monkeypatch.setattr(looking, "WORKER_PAGES", 1)
    monkeypatch.setattr(looking, "ENTRIES", 2)
    seen = look(open_store, root)
    assert (len(seen.queues), len(seen.workers)) == (1, 1)
    assert seen.more_queues
    assert seen.more_workers
    # of many entries only the last are read: their own time tells the rate
    assert sum(seen.rates.values()) >= 2


def test_a_frame(open_store: OpenStore, store: support.SyncStore, root: str) -> None:
    build(store, root)
    text = shown(look(open_store, root))
    assert "main  3 jobs wait  1 of 2 workers active  2 offers open" in text
    assert "JobReceived 0.3" in text
    (sales,) = (line for line in text.splitlines() if line.startswith("sales "))
    assert sales.split() == [
        "sales",
        "3",
        "7:1",
        "1:2",
        "0",
        "s",
        "1",
        "min",
        "1",
        "of",
        "2",
        "1",
        "of",
        "first",
        "3",
    ]
    (anna,) = (line for line in text.splitlines() if line.startswith("anna "))
    assert "██████████ 2/2" in anna
    assert "call-1" in text


def test_more_rows_than_there_is_room_for() -> None:
    queues = [Queue(f"q{n}", 9 - n, 1_000, 1, 1, 1, 0, 0, []) for n in range(9)]
    text = shown(Glance(0, 0, queues, [], [], {}), rows=4)
    assert "q3" in text
    assert "q4" not in text
    assert "… 5 more" in text
    assert "no events" in text


def test_no_wait_is_told_where_nobody_is_active() -> None:
    queues = [Queue("away", 2, 0, 17, 3, 0, 0, 0, []), Queue("many", 2, 0, 18, 900, -1, 0, 0, [])]
    text = shown(Glance(0, 0, queues, [], [], {}))
    (away,) = (line for line in text.splitlines() if line.startswith("away "))
    (many,) = (line for line in text.splitlines() if line.startswith("many "))
    assert away.split() == ["away", "2", "0", "s", "0", "of", "3"]
    assert many.split() == ["many", "2", "0", "s", "18", "min", "900"]


def test_a_late_agenda() -> None:
    assert "the agenda is 1 min 5 s late" in shown(Glance(0, 65_000, [], [], [], {}))


def test_texts_of_users_stay_texts() -> None:
    hostile = "[red]x[/red]\x1b[2J\nqueue"
    text = shown(Glance(0, 0, [Queue(hostile, 1, 0, 1, 1, 1, 0, 0, [])], [], [], {}))
    assert "\x1b[2J" not in text
    assert "[red]x[/red]" in text


@pytest.mark.parametrize(
    ("ms", "text"),
    [(-5, "0 s"), (59_999, "59 s"), (61_000, "1 min 1 s"), (3_600_000, "1 h 0 min"), (90_000_000, "1 d 1 h")],
)
def test_durations(ms: int, text: str) -> None:
    assert duration(ms) == text


# ---- the command -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("command", [("top", "--once"), ("why", "job")])
def test_a_router_that_is_not_there(
    server: support.Server, capsys: pytest.CaptureFixture[str], command: tuple[str, ...]
) -> None:
    assert main([*command, "--redis-url", server.url, "--tenants", "nope"]) == 2
    assert capsys.readouterr() == ("", "jobrouter: There is no router 'nope' in the store (--tenants).\n")


def test_one_router_of_several(
    server: support.Server, store: support.SyncStore, tenant: str, capsys: pytest.CaptureFixture[str]
) -> None:
    build(store, root_of(tenant))
    assert main(["top", "--once", "--redis-url", server.url, "--tenants", f"{tenant},other"]) == 0
    assert f"shown is {tenant} alone; --tenants shows another of other" in capsys.readouterr().err


def test_once(server: support.Server, store: support.SyncStore, tenant: str) -> None:
    build(store, root_of(tenant))
    with jobrouter("top", "--once", "--redis-url", server.url, "--tenants", tenant) as it:
        assert it.process.wait(30) == 0
        text = it.rest()
    assert f"{tenant}  3 jobs wait" in text
    assert "\x1b" not in text


def test_live_needs_a_terminal(server: support.Server) -> None:
    with jobrouter("top", "--redis-url", server.url) as it:
        assert it.process.wait(30) == 2
        assert "--once" in it.rest()


def test_live_in_a_terminal(server: support.Server, store: support.SyncStore, tenant: str) -> None:
    build(store, root_of(tenant))
    leader, follower = pty.openpty()
    environment = {**os.environ, "TERM": "xterm", "COLUMNS": "120", "LINES": "50"}
    options = ("--redis-url", server.url, "--tenants", tenant, "--interval", "50ms")
    process = subprocess.Popen(
        [sys.executable, "-m", "api.cli", "top", *options],
        cwd=ROOT,
        env=environment,
        stdin=follower,
        stdout=follower,
        stderr=follower,
    )
    os.close(follower)
    try:
        seen = read_until(leader, "3 jobs wait")
        store.run(root_of(tenant), c.JobCreate(id="call-9", channel="voice", queue="sales"))
        seen += read_until(leader, "4 jobs wait")
        process.send_signal(signal.SIGINT)
        # the terminal is given back: its own screen is left
        seen += read_until(leader, "\x1b[?1049l")
        assert process.wait(support.PATIENCE_SECONDS) == 0
    finally:
        process.kill()
        process.wait()
        os.close(leader)
    assert "Traceback" not in seen


def read_until(terminal: int, text: str) -> str:
    """What a terminal shows, up to a text."""
    seen: Any = ""
    deadline = time.monotonic() + support.PATIENCE_SECONDS
    while text not in seen:
        ready, _, _ = select.select([terminal], [], [], max(0, deadline - time.monotonic()))
        assert ready, seen[-2000:]
        seen += os.read(terminal, 65_536).decode(errors="replace")
    return str(seen)
