"""The proofs there are: every module of this package that has ``prove``, by the module's name.

    def prove(options: Options) -> Figures

runs the proof and gives its figures. It ends within minutes, and within seconds when ``options.quick``; all
chance comes from ``options.chance``; times are promised in full runs alone, since the machine of a quick one
is busy with other tests. It raises Missing for want of a program. The first line of
the module's docstring is its title.
"""

from __future__ import annotations

import importlib
import os
import pkgutil
import random
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import msgspec

import tests.chaos
from engine.server_program import find_program
from tests.chaos.figures import Figures


class Missing(RuntimeError):
    """A proof needs something that is not installed; the text says what."""


class Options(msgspec.Struct, frozen=True):
    """How a proof is run: the same seed makes the same plan; ``quick`` is the version for ``make test``."""

    seed: int = 1
    quick: bool = False

    def chance(self, what: str = "") -> random.Random:
        """A source of chance of its own for each use, so that one does not disturb another."""
        return random.Random(f"{self.seed} {what}")

    def times(self, full: int, quick: int) -> int:
        """How often something is done."""
        return quick if self.quick else full

    @property
    def program(self) -> Path:
        """The server under test, as for all tests: JOBROUTER_TEST_SERVER, else the embedded one."""
        given = os.environ.get("JOBROUTER_TEST_SERVER")
        return Path(given) if given else find_program()


class Proof(NamedTuple):
    """One proof."""

    name: str
    title: str
    prove: Callable[[Options], Figures]


def proofs() -> dict[str, Proof]:
    """All proofs, by name."""
    found = {}
    for info in pkgutil.iter_modules(tests.chaos.__path__):
        if info.name.startswith(("_", "test_")):
            continue
        module = importlib.import_module(f"{tests.chaos.__name__}.{info.name}")
        if hasattr(module, "prove"):
            assert module.__doc__, info.name
            found[info.name] = Proof(info.name, module.__doc__.splitlines()[0], module.prove)
    return found
