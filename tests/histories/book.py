"""What clients have asked, and when; and what they were answered, and when."""

from __future__ import annotations

import copyreg
import math
from dataclasses import dataclass
from typing import Any

from engine.commands import Command
from engine.errors import Refused

Reply = dict[str, Any]

NEVER = math.inf

# books go from the process of the clients to that of a checker
copyreg.pickle(Refused, lambda refused: (Refused, (refused.code, refused.text)))


@dataclass(slots=True)
class Call:
    """One command of a client. Times are seconds of one monotonic clock.

    Without an ``outcome`` it is not known whether it was executed: the answer was lost.
    """

    tag: str
    command: Command
    invoked: float
    completed: float = NEVER
    outcome: Reply | Refused | None = None


class Tagged:
    """A command with a text behind its documents, which the library ignores and the log of calls keeps."""

    def __init__(self, command: Command, tag: str) -> None:
        self.function = command.function
        self.write = command.write
        self.completed = command.completed
        self._arguments = [*command.arguments(), tag]

    def arguments(self) -> list[bytes | str]:
        """Control fields, documents, tag."""
        return self._arguments

    def when_full(self) -> None:
        """Nothing is tried instead."""
