"""Short histories of concurrent clients, checked: ``python -m tests.histories`` runs long ones."""

from __future__ import annotations

from tests.histories.run import Plan, run


def test_histories_are_strictly_serializable() -> None:
    found, _ = run(Plan(operations=3_000, clients=12, length=1_000, beside=3, checkers=1, lose_every=20))
    assert found.mismatches == []
    assert found.operations >= 3_000
    assert min(found.replies, found.refusals, found.reads, found.unknown, found.events) > 0
