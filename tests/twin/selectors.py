"""Worker selectors: the operators of semantics 2.1, and their expiry (2.2)."""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass, replace

from tests.twin.texts import Scalar, lines, scalar


@dataclass(frozen=True)
class Selector:
    """One line of a selectors document; ``added`` is None when the clock runs from the enqueue."""

    key: str
    operator: str
    value: str
    seconds: str
    expedite: bool
    added: int | None

    @property
    def core(self) -> tuple[str, ...]:
        """Everything the user gave: equal cores are equal selectors."""
        return (self.key, self.operator, self.value, self.seconds, str(self.expedite))

    @property
    def line(self) -> str:
        added = "" if self.added is None else str(self.added)
        return "\t".join([self.key, self.operator, self.value, self.seconds, "01"[self.expedite], added])

    def expires_at(self, enqueued_at: int | None) -> int | None:
        """When it runs out; None when never, or when its clock has not started."""
        start = self.added if self.added is not None else enqueued_at
        if self.seconds == "" or start is None:
            return None
        return start + math.floor(float(self.seconds) * 1000 + 0.5)

    def holds(self, labels: dict[str, Scalar | None]) -> bool:
        """Does it hold on a worker's labels (the automatic Id included)?"""
        actual = labels.get(self.key)
        wanted = scalar(self.value)
        if self.value in ("", "null"):
            return {"=": actual is None, "!=": actual is not None}.get(self.operator, False)
        if self.operator == "=":
            return actual is not None and actual == wanted
        if self.operator == "!=":
            return actual is None or actual != wanted
        if actual is None or wanted is None or actual[0] != wanted[0] or actual[0] == "bool":
            return False
        a, b = actual[1], wanted[1]
        if isinstance(a, str) and isinstance(b, str):
            a, b = a.encode(), b.encode()  # type: ignore[assignment]
        return {"<": a < b, "<=": a <= b, ">": a > b, ">=": a >= b}[self.operator]  # type: ignore[operator]


def parse(text: str) -> list[Selector]:
    """The selectors of a document."""
    return [parse_line(line) for line in lines(text)]


@functools.lru_cache(4096)
def parse_line(line: str) -> Selector:
    """One selector."""
    key, operator, value, seconds, expedite, added = line.split("\t")
    return Selector(key, operator, value, seconds, expedite == "1", int(added) if added else None)


def merged(old: list[Selector], new: list[Selector], now: int | None) -> list[Selector]:
    """A replaced list: equals of old ones keep their start, the rest is added now (None: no clock yet)."""
    left = list(old)
    result = []
    for selector in new:
        same = next((o for o in left if o.core == selector.core), None)
        if same:
            left.remove(same)
        result.append(same or replace(selector, added=now))
    return result


def text_of(selectors: list[Selector]) -> str:
    """The document of a list."""
    return "\n".join(s.line for s in selectors)
