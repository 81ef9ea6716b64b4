"""The command ``jobrouter``."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from api import logs
from api.access_keys import BadOption
from api.options import parse
from engine.data_directory import Held
from engine.embedded import DidNotStart
from engine.errors import Failed, Refused, Unavailable
from engine.leftover import StillRuns
from engine.server_program import NoProgram

TOLD = (BadOption, DidNotStart, Failed, Held, NoProgram, Refused, StillRuns, Unavailable)
"""What ends a command with one sentence instead of a trace."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command. Gives the exit status: 0 well, 1 not, 2 wrong options."""
    logs.begin()
    try:
        options = parse(sys.argv[1:] if arguments is None else arguments)
        # only what the command needs is imported
        if options.command == "check":
            from api import check

            return check.run(options)
        if options.command == "doctor":
            from api import doctor

            return doctor.run(options)
        if options.command == "top":
            from api import top

            return top.run(options)
        if options.command == "demo":
            from api import demo

            return demo.run(options)
        if options.command == "expression":
            from api import expression

            return expression.run(options)
        if options.command == "why":
            from api import why

            return why.run(options)
        if options.command == "history":
            from api import timeline

            return timeline.run(options)
        if options.command == "subscriptions":
            from api import subscribing

            return subscribing.run(options)
        from api import serve

        logs.begin(options.log_format)
        return serve.run(options)
    except BadOption as error:
        print(f"jobrouter: {error}", file=sys.stderr)
        return 2
    except TOLD as error:
        print(f"jobrouter: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
