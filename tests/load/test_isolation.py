"""A short run of the measurement of isolation: who is over the limit is held to it, the other one is not."""

from __future__ import annotations

from bench.isolation import Figures, Phase, Plan, Sent, figures, measure, report


def test_the_greedy_router_is_held_to_its_limit_and_the_modest_one_is_served() -> None:
    plan = Plan(limit="20/10s", rate=20, rounds=1, seconds=2)
    found = measure(plan)
    assert (found.alone.count, found.beside.count) == (40, 40)
    assert found.alone.failures == found.beside.failures == 0
    assert found.greedy.limited + found.greedy.done == 40
    assert found.greedy.limited > 0 < found.greedy.done
    assert found.greedy.shed == found.greedy.failed == 0
    assert "p99 beside ÷ alone: " in report(found, plan)


def test_the_figures() -> None:
    def phase(ms: int) -> Phase:
        return Phase([ms / 1000] * 100, 1, [0.001])

    rounds = [(phase(1), phase(2)), (phase(2), phase(2)), (phase(4), phase(2))]
    found: Figures = figures(rounds, Sent(1, 2, 3, 4), Plan())
    assert (found.alone.p99, found.beside.p99, found.alone.failures) == (4, 2, 3)
    assert (found.ratio, found.by_round) == (0.5, 1.0)
    assert found.offered == 1_000
    assert "goal ≤ 2: reached" in report(found, Plan())
