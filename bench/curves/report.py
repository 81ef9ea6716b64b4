"""The report of a run: Markdown with tables and plots, the plots as PNG, and the same figures as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
from matplotlib.figure import Figure

from bench.curves.curve import Curve
from bench.load.tables import Table, markdown

TITLE = "Scale curves"
INCHES = (4.2, 3.2)


class Found(msgspec.Struct):
    """All curves of one run, and its conditions; ``load`` is the load average before and after."""

    machine: dict[str, Any]
    rounds: int
    load: list[float]
    curves: list[Curve] = []

    @property
    def flat(self) -> bool:
        """Whether all that must be flat is."""
        return all(verdict.flat for curve in self.curves for verdict in curve.verdicts)


def write(found: Found, folder: Path) -> list[Path]:
    """Writes report.md, report.json and a PNG a curve; their paths, the report first."""
    for curve in found.curves:
        plot(curve, folder / picture(curve))
    (folder / "report.md").write_text(markdown(TITLE, conditions(found), [*map(table, found.curves)]))
    (folder / "report.json").write_bytes(msgspec.json.format(msgspec.json.encode(found)) + b"\n")
    names = ("report.md", "report.json", *map(picture, found.curves))
    return [folder / name for name in names]


def picture(curve: Curve) -> str:
    """The file name of a curve's plot."""
    return f"{curve.name.lower().replace(' ', '-')}.png"


def conditions(found: Found) -> str:
    """On what, and how, it was measured."""
    machine = ", ".join(f"{name}: {value}" for name, value in found.machine.items())
    return (
        f"{machine}. Medians of {found.rounds} interleaved rounds. Flat or not is judged by the processor "
        "time that a whole life cycle (create with offer, accept, complete, close) takes of the server, each "
        "round's against the same round's at the smallest size; the yardstick is A20, a function of 20 mixed "
        "calls on keys of its own: what it takes longer at a size is not the library's work. Rates and p99 "
        "are by the clock of one client (pipelining, and one call at a time), which whatever else runs "
        "disturbs. "
        f"Load average {found.load[0]:.1f} before, {found.load[-1]:.1f} after."
    )


def table(curve: Curve) -> Table:
    """The figures of a curve, one size a row."""
    columns = curve.columns()
    text = f"{curve.text} {curve.summary()}\n\n![{curve.name}]({picture(curve)})"
    rows = [[f"{size:,}", *(_cell(points.get(size)) for _, points in columns)] for size in curve.sizes]
    return Table(curve.name.capitalize(), text, (curve.name, *(title for title, _ in columns)), rows)


def _cell(value: float | None) -> str:
    if value is None:
        return ""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def plot(curve: Curve, file: Path) -> None:
    """One panel beside the other; sizes stand at equal distances: some are 0, and most powers of ten."""
    whole = Figure((INCHES[0] * len(curve.panels), INCHES[1]), layout="constrained")
    places = {size: place for place, size in enumerate(curve.sizes)}
    panels = whole.subplots(1, len(curve.panels), squeeze=False)[0]
    for panel, (title, lines) in zip(panels, curve.panels.items(), strict=True):
        for line, points in lines.items():
            sizes, values = zip(*points, strict=True)
            panel.plot([places[size] for size in sizes], values, marker="o", label=line)
        panel.set_title(title, fontsize=10)
        panel.set_xlabel(curve.name)
        panel.set_xticks([*places.values()], [_short(size) for size in places])
        panel.set_ylim(bottom=0)
        panel.grid(alpha=0.3)
        if any(lines):
            panel.legend(fontsize=8)
    whole.savefig(file, dpi=110)


def _short(size: int) -> str:
    for unit, letter in ((1_000_000, "M"), (1_000, "k")):
        if size >= unit and size % unit == 0:
            return f"{size // unit}{letter}"
    return str(size)


def verdicts(curves: Sequence[Curve]) -> list[str]:
    """One line a curve."""
    return [f"{curve.name}: {curve.summary()}" for curve in curves]
