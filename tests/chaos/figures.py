"""What a proof has found: figures that are told, and promises that hold or are broken."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

SHOWN = 10
"""Of things that should not be there, so many are shown."""


class Figure(NamedTuple):
    """One row of a report; ``promise`` is empty for what is only told."""

    name: str
    value: str
    promise: str = ""
    holds: bool = True


class Figures:
    """The figures of one run, in the order in which they were found."""

    def __init__(self) -> None:
        self.rows: list[Figure] = []
        self.examples: list[str] = []
        """Of what breaks a promise."""

    @property
    def broken(self) -> list[Figure]:
        """The promises that do not hold."""
        return [row for row in self.rows if not row.holds]

    def part(self, title: str) -> None:
        """A heading over the figures that follow."""
        self.rows.append(Figure(f"-- {title}", ""))

    def tell(self, name: str, value: object) -> None:
        """A figure that promises nothing."""
        self.rows.append(Figure(name, _shown(value)))

    def none(self, name: str, found: Sequence[object]) -> None:
        """Promises that there is nothing of this kind."""
        self.rows.append(Figure(name, str(len(found)), "0", not found))
        self.examples += [f"{name}: {one}" for one in found[:SHOWN]]

    def at_most(self, name: str, value: float, bound: float) -> None:
        """Promises that a figure does not exceed a bound."""
        self.rows.append(Figure(name, _shown(value), f"≤ {_shown(bound)}", value <= bound))

    def at_least(self, name: str, value: float, bound: float) -> None:
        """Promises that a figure reaches a bound: also that a proof has proven anything at all."""
        self.rows.append(Figure(name, _shown(value), f"≥ {_shown(bound)}", value >= bound))

    def __str__(self) -> str:
        """A table for people, and examples of what breaks promises."""
        rows = [(row.name, row.value, row.promise, "" if row.holds else "BROKEN") for row in self.rows]
        widths = [max((len(row[i]) for row in rows), default=0) for i in range(3)]
        table = [f"{n:<{widths[0]}}  {v:>{widths[1]}}  {p:<{widths[2]}}  {b}".rstrip() for n, v, p, b in rows]
        return "\n".join([*table, *self.examples])


def _shown(value: object) -> str:
    if isinstance(value, float):
        return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"
    return f"{value:,}" if isinstance(value, int) else str(value)
