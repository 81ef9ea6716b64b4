"""What a peer is: something that takes jobs through their lives on a server where others do so as well."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass

from bench.meters import Cost
from bench.rounds import Plan
from bench.site import Site

Run = Callable[[int], Cost]
"""Takes so many jobs through their whole lives; what they have cost together."""


@dataclass(frozen=True)
class Peer:
    """One of those that are compared.

    ``cycles`` go into a round, ``tells`` is how it is driven, ``lacks`` what it does not do, as nouns.
    """

    name: str
    cycles: int
    tells: str
    lacks: tuple[str, ...]
    opened: Callable[[Site, Plan], AbstractContextManager[Run]]
