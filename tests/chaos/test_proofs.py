"""Every proof, in its quick version; and the command that runs them."""

from __future__ import annotations

import pytest

from tests.chaos import __main__ as command
from tests.chaos.figures import Figures
from tests.chaos.proofs import Missing, Options, Proof, proofs
from tests.tree.sources import missing

PROOFS = proofs()


@pytest.mark.parametrize("proof", PROOFS.values(), ids=PROOFS)
def test_proof(proof: Proof) -> None:
    try:
        figures = proof.prove(Options(seed=1, quick=True))
    except Missing as what:
        missing(str(what))
    assert figures.rows
    assert figures.broken == [], str(figures)


def as_proofs(monkeypatch: pytest.MonkeyPatch, **found: Figures | Exception) -> None:
    """Makes the command know other proofs, which find this."""

    def prove(name: str) -> Figures:
        it = found[name]
        if isinstance(it, Exception):
            raise it
        return it

    made = {name: Proof(name, "A proof.", lambda _, name=name: prove(name)) for name in found}
    monkeypatch.setattr(command, "proofs", lambda: made)


def test_a_broken_promise_ends_with_status_1(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    sound, broken = Figures(), Figures()
    sound.none("lost", [])
    sound.at_most("late", 4.0, 5)
    broken.tell("kills", 3)
    broken.none("lost", ["job 7"])
    as_proofs(monkeypatch, sound=sound, broken=broken)
    assert command.main(["sound"]) == 0
    assert command.main(["--seed", "5"]) == 1
    printed = capsys.readouterr().out
    assert "BROKEN" in printed
    assert "lost: job 7" in printed
    assert "-- seed 5, full" in printed
    assert "1 of 2 proofs hold; not broken" in printed


def test_a_proof_that_cannot_run_ends_with_status_1(monkeypatch: pytest.MonkeyPatch) -> None:
    as_proofs(monkeypatch, needy=RuntimeError("HAProxy is missing"), sound=Figures())
    assert command.main(["sound"]) == 0
    assert command.main(["needy", "sound"]) == 1


@pytest.mark.parametrize(("value", "bound", "holds"), [(5, 5, True), (5.1, 5, False)])
def test_at_most(value: float, bound: float, holds: bool) -> None:
    figures = Figures()
    figures.at_most("late", value, bound)
    assert (not figures.broken) is holds


def test_at_least() -> None:
    figures = Figures()
    figures.at_least("cycles", 3, 4)
    assert figures.broken
