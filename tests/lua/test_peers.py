"""The comparison with peers runs, and its parts do what their figures need."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from bench.client import batches
from bench.peers import contest, lean
from bench.peers.driven import driven
from bench.peers.peer import Peer
from bench.rounds import Plan, Samples
from bench.site import site
from tests.tree.sources import ROOT

ECHO = "import sys\nfor line in sys.stdin: print(f'{line.strip()}ed', flush=True)"


def test_a_smoke_run(server_program: Path, tmp_path: Path) -> None:
    file = tmp_path / "found.json"
    command = [sys.executable, "-m", "bench.peers", "--quick", "--server", str(server_program)]
    command += ["--only", "lean", "--only", "router", "--only", "append-only", "--json", str(file)]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert ended.returncode == 0, ended.stderr
    found = json.loads(file.read_text())
    rows = {row["row"]: row for row in found["rows"]}
    assert set(rows) == {"lean", "router", "off", "everysec", "always"}
    assert (rows["lean"]["sent"], rows["lean"]["inside"]) == (4, 26)
    assert {rows[name]["sent"] for name in ("router", "off", "always")} == {4}
    assert {"redis_us_per_lean", "everysec_per_off", "always_per_off"} <= set(found["ratios"])
    assert "always_per_off" in ended.stdout
    assert "lean: four functions" in ended.stdout


def test_every_goal_has_a_ratio() -> None:
    found = {name: Samples(name) for name in (*contest.PEERS, *contest.DURABILITY)}
    for samples in found.values():
        for name in ("cycles_per_s", "redis_us", "command_us"):
            samples.add(name, 2.0)
    assert set(contest.GOALS) <= set(contest.ratios(found))


def test_a_peer_is_told_what_it_lacks() -> None:
    peers: list[Peer] = [*contest.PEERS.values()]
    assert [peer.name for peer in peers if not peer.lacks or not peer.tells] == []


def test_the_least_checks_states(server_program: Path) -> None:
    with site(server_program) as here, lean.LEAN.opened(here, Plan(1, server_program, quick=True)) as run:
        assert run(3).calls == 12
        with pytest.raises(RuntimeError, match="the job is closed"):
            here.client.call("FCALL", "lean_accept", 1, lean.ROOT, "job-0")
        with pytest.raises(RuntimeError, match="the job is there"):
            here.client.call("FCALL", "lean_submit", 1, lean.ROOT, "job-0", "{}")


def test_clients_that_act_as_one_get_their_replies_in_order(server_program: Path) -> None:
    options = contest.DURABILITY["always"]
    with site(server_program, options=options, clients=3) as here:
        assert here.client.call("CONFIG", "GET", "appendfsync") == ["appendfsync", "always"]
        words = [str(number) for number in range(50)]
        assert here.client.run(batches((("ECHO", word) for word in words), depth=2)) == words
        assert here.client.call("INFO", "clients").split("connected_clients:")[1].startswith("3")


def test_a_peer_answers() -> None:
    with driven("echo", [sys.executable, "-c", ECHO], {}) as process:
        process.ask("start", "started")
        process.ask("load", "loaded")
        with pytest.raises(RuntimeError, match="echo has answered stoped to stop"):
            process.ask("stop", "stopped")


def test_the_last_words_of_a_peer_are_told() -> None:
    command = [sys.executable, "-c", "raise SystemExit('no such module')"]
    with driven("gone", command, {}) as process, pytest.raises(RuntimeError, match="no such module"):
        process.ask("start", "started")
