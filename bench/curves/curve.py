"""A curve: figures against the size of one thing, and how flat they are."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

Points = list[tuple[int, float]]
"""Size and figure, by size."""


class Verdict(msgspec.Struct, frozen=True):
    """How a figure at one size compares with that at the smallest; ``limit`` is what it may be.

    ``yardstick`` is how that of a function compares which has nothing to do with the size: what it takes
    longer is due to the processor's caches and the allocator.
    """

    line: str
    size: int
    ratio: float
    limit: float
    yardstick: float

    @property
    def flat(self) -> bool:
        """Whether it is within the limit."""
        return self.ratio <= self.limit

    def __str__(self) -> str:
        word = "flat" if self.flat else "BENDS"
        limit = f"≤ {self.limit:g}; the yardstick {self.yardstick:.2f}"
        return f"{self.line} at {self.size:,}: {self.ratio:.2f} ({limit}) {word}"


class Curve(msgspec.Struct):
    """One thing that varies. ``panels``: what is measured → line → its points."""

    name: str
    text: str
    panels: dict[str, dict[str, Points]]
    verdicts: list[Verdict] = []

    @property
    def sizes(self) -> list[int]:
        """All sizes of all lines."""
        return sorted(
            {size for lines in self.panels.values() for points in lines.values() for size, _ in points}
        )

    def columns(self) -> list[tuple[str, dict[int, float]]]:
        """One a panel and line: its title, and the figure of each size."""
        return [
            (f"{panel}{', ' if line else ''}{line}", dict(points))
            for panel, lines in self.panels.items()
            for line, points in lines.items()
        ]

    def summary(self) -> str:
        """The verdicts in a sentence."""
        if not self.verdicts:
            return "Plotted only."
        bends = [verdict for verdict in self.verdicts if not verdict.flat]
        told: Sequence[Verdict] = bends or [max(self.verdicts, key=lambda each: each.ratio / each.limit)]
        word = "BENDS" if bends else "Flat"
        return (
            f"{word}: server time of a life cycle ÷ that at the smallest size: {'; '.join(map(str, told))}."
        )
