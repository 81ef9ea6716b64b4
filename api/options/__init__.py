"""The command line: every flag has an environment variable of the same name, JOBROUTER_…"""

from __future__ import annotations

from api.options.commands import COMMANDS
from api.options.parsing import Options, parse, variable
from api.options.values import ALLOWED

__all__ = ["ALLOWED", "COMMANDS", "Options", "parse", "variable"]
