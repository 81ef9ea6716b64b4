"""Random lives of subscriptions against a naive model: who is asked, who has agreed, who gets events."""

from __future__ import annotations

import random
from typing import Any

import msgspec
import pytest

from engine import commands as c
from engine.errors import Refused
from tests.subscriptions.router import Router

STEPS = 400
MINUTE = 60_000
LEASE = 30_000
IDS = ("a", "b/ä", "c")
URLS = ("https://one.example.com/", "https://two.example.com/")


class Asked(msgspec.Struct):
    """A question that waits for an answer: when the worker is to take it (None: only the code counts now)."""

    number: int
    code: str
    until: int
    due: int | None


class Model(msgspec.Struct):
    """A subscription, as obvious as can be."""

    doc: int = 0
    enabled: bool = True
    target: Any = None
    agreed: Any = None
    refused: bool = False
    asked: Asked | None = None

    @property
    def status(self) -> str:
        if not self.enabled:
            return "disabled"
        if self.agreed == self.target:
            return "enabled"
        return "refused" if self.refused else "validating"


class Life:
    """A router and what it should know."""

    def __init__(self, router: Router, seed: int) -> None:
        self.router = router
        self.random = random.Random(seed)
        self.models: dict[str, Model] = {}
        self.questions: list[dict[str, Any]] = []
        self.codes: list[tuple[str, str]] = []
        self.made = 0

    def step(self) -> None:
        self.random.choice(
            (self.put, self.put, self.lease, self.answer, self.confirm, self.wait, self.delete)
        )()
        self.compare()

    def put(self) -> None:
        name, enabled = self.random.choice(IDS), self.random.random() < 0.8
        url, schema = self.random.choice(URLS), self.random.choice(("eventGrid", "cloudEventsBinary"))
        self.made += 1
        code = f"the-code-of-step-{self.made}"
        model = self.models.setdefault(name, Model())
        reply = self.router.subscribe(
            name, doc=model.doc, url=url, schema=schema, enabled=enabled, code=code, name=str(self.made)
        )
        model.doc, model.enabled, model.target = model.doc + 1, enabled, (url, schema)
        model.asked, model.refused = None, False
        if enabled and model.agreed != model.target:
            now = self.router.now
            model.asked = Asked(int(reply["op"]), code, now + 10 * MINUTE, now)
            self.codes.append((name, code))

    def lease(self) -> None:
        rows = self.router.lease()
        now = self.router.now
        due = {
            n for n, m in self.models.items() if m.asked and m.asked.due is not None and m.asked.due <= now
        }
        assert {row["subscription"] for row in rows} == due
        for row in rows:
            asked = self.models[row["subscription"]].asked
            assert asked
            assert (int(row["asked"]), row["code"]) == (asked.number, asked.code)
            asked.due = now + LEASE
        self.questions += rows

    def answer(self) -> None:
        if not self.questions:
            return
        question = self.random.choice(self.questions)
        outcome = self.random.choice(("agreed", "later", "failed"))
        done = self.router.answer(question, outcome, "why")
        model = self.models.get(question["subscription"])
        asked = model.asked if model else None
        if model is None or asked is None or asked.number != int(question["asked"]):
            assert done == "outdated"
            return
        assert done == "done"
        if outcome == "agreed":
            model.agreed, model.asked = model.target, None
        else:
            asked.due = None if outcome == "later" else self.router.now + 15_000

    def confirm(self) -> None:
        if not self.codes:
            return
        name, code = self.random.choice(self.codes[-6:])
        model = self.models.get(name)
        valid = model is not None and model.asked is not None and model.asked.code == code
        if not valid:
            with pytest.raises(Refused, match="NOT_FOUND"):
                self.router.run(c.SubscriptionConfirm(name, code))
            return
        assert model
        self.router.run(c.SubscriptionConfirm(name, code))
        model.agreed, model.asked = model.target, None

    def wait(self) -> None:
        self.router.at(self.router.now + self.random.choice((1, 14_999, LEASE, 4 * MINUTE)))
        for model in self.models.values():
            if model.asked and model.asked.until <= self.router.now:
                model.asked, model.refused = None, True

    def delete(self) -> None:
        name = self.random.choice(IDS)
        if self.random.random() < 0.3:
            outcome = self.router.run(c.SubscriptionDelete(name))["outcome"]
            assert outcome == ("deleted" if self.models.pop(name, None) else "absent")

    def compare(self) -> None:
        listed = {row["id"]: row["status"] for row in self.router.run(c.SubscriptionList())["rows"]}
        assert listed == {name: model.status for name, model in self.models.items()}
        assert set(self.router.deliveries()) == {n for n, m in self.models.items() if m.status == "enabled"}


@pytest.mark.parametrize("seed", range(6))
def test_random_lives(router: Router, seed: int) -> None:
    life = Life(router, seed)
    for _ in range(STEPS):
        life.step()
    assert life.codes
    assert life.questions
