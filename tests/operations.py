"""All operations of the library, as their commands."""

from __future__ import annotations

from collections.abc import Iterator

from engine.commands import Command


def _commands(base: type[Command]) -> Iterator[type[Command]]:
    for kind in base.__subclasses__():
        # what only shares fields with others has no function
        if hasattr(kind, "function"):
            yield kind
        yield from _commands(kind)


OPERATIONS = sorted(_commands(Command), key=lambda kind: kind.function)
"""One command for each function, by the function's name."""

COMMANDS = {kind.function: kind for kind in OPERATIONS}
"""The same by function."""
