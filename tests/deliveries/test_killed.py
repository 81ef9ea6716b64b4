"""Real workers that are killed lose nothing, change no order, and repeat no more than was under way."""

from __future__ import annotations

from pathlib import Path

from bench.delivery import Plan, play
from tests import support
from tests.outgoing.endpoint import run


def test_killed_workers_keep_all_promises(server_program: Path) -> None:
    async def test(url: str) -> None:
        report = await play(Plan(events=450, kills=2, rate=300), url)
        # how long it takes is measured elsewhere
        assert [problem for problem in report.problems if not problem.startswith("p99")] == []
        assert report.tries["failing"] > 1.5 * report.events
        assert report.tries["hanging"] > report.events
        assert len(report.outages) == 2

    with support.server(server_program) as server:
        run(test(server.url))
