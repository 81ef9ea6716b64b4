"""The command ``jobrouter``."""

from __future__ import annotations

import importlib
import os
import signal
import sys
from collections.abc import Callable, Sequence

from api.cli.plain import plain_line
from api.options import parse
from api.serving import logs
from api.serving.access_keys import BadOption
from engine.data_directory import Held, Unusable
from engine.embedded import DidNotStart
from engine.errors import Failed, Refused, Unavailable
from engine.leftover import StillRuns
from engine.server_program import NoProgram

TOLD = (BadOption, DidNotStart, Failed, Held, NoProgram, Refused, StillRuns, Unavailable, Unusable)
"""What ends a command with one sentence instead of a trace."""


_MODULES = {
    "acl": "acl",
    "serve": "serve",
    "api": "serve",
    "worker": "serve",
    "check": "check",
    "demo": "demo",
    "doctor": "doctor",
    "expression": "expression",
    "history": "timeline",
    "subscriptions": "subscriptions",
    "top": "top",
    "why": "why",
}
"""Who runs a command. Only what it needs is imported."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command. Gives the exit status: 0 well, 1 not, 2 wrong options."""
    logs.begin()

    def run() -> int:
        options = parse(sys.argv[1:] if arguments is None else arguments)
        module = importlib.import_module(f"{__name__}.{_MODULES[options.command]}")
        return int(module.run(options))

    return status_of(run)


def status_of(run: Callable[[], int], tells: Callable[[str], bool] = lambda text: True) -> int:
    """The exit status of what is run; what ends a command with one sentence is told if ``tells`` says so."""
    try:
        status = run()
        sys.stdout.flush()
        return status
    except BrokenPipeError:
        # as with `| head`: nobody reads on, and the last flush of the interpreter must not stumble either
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except KeyboardInterrupt:
        # as a shell tells it
        return 128 + signal.SIGINT
    except TOLD as error:
        if tells(sentence := plain_line(str(error))):
            print(f"jobrouter: {sentence}", file=sys.stderr)
        return 2 if isinstance(error, BadOption) else 1
