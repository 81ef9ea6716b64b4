"""Seeded plans of what is broken when."""

from __future__ import annotations

import random
from collections.abc import Mapping
from typing import NamedTuple


class Blow(NamedTuple):
    """After a pause in seconds, this is hit."""

    pause: float
    victim: str


def blows(chance: random.Random, each: Mapping[str, int], shortest: float, longest: float) -> list[Blow]:
    """Every victim as often as it is told, in random order, with a random pause before each blow."""
    victims = [name for name, times in each.items() for _ in range(times)]
    chance.shuffle(victims)
    return [Blow(chance.uniform(shortest, longest), victim) for victim in victims]
