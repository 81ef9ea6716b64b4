"""What is found, and the words for it."""

from __future__ import annotations

from typing import Literal

import msgspec

Level = Literal["ok", "warning", "critical"]


class Finding(msgspec.Struct, omit_defaults=True):
    """One thing that was looked at: how it is, what to do unless it is well, and how often it was found."""

    level: Level
    code: str
    text: str
    todo: str = ""
    router: str = ""
    times: int = 1


def worst(findings: list[Finding]) -> Level:
    """The level of the worst finding."""
    levels: list[Level] = ["critical", "warning"]
    return next((level for level in levels if any(one.level == level for one in findings)), "ok")


def duration(seconds: float) -> str:
    """A time in the unit that suits it."""
    for length, unit in ((86_400, "days"), (3_600, "hours"), (60, "minutes")):
        if seconds >= 2 * length:
            return f"{seconds / length:.0f} {unit}"
    return f"{seconds:.1f} seconds"


def sentence(text: str) -> str:
    """A text as a sentence, without its full stop."""
    return text[:1].upper() + text[1:].rstrip(".")


def named(name: str) -> str:
    """A name in quotes, fit for a terminal."""
    return f"'{name}'" if name.isprintable() else ascii(name)
