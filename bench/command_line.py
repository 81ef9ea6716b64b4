"""What the commands of this folder have in common: options, progress, and the result as JSON."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any


def add_server(parser: argparse.ArgumentParser) -> None:
    """The option that names another server than the embedded one."""
    parser.add_argument(
        "--server", type=Path, metavar="PROGRAM", help="another valkey-server or redis-server"
    )


def add_json(parser: argparse.ArgumentParser) -> None:
    """The option that names a file for the result."""
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the result there, too")


def say(text: str) -> None:
    """Tells how far it is, beside the result."""
    print(text, file=sys.stderr, flush=True)


def tell_machine(machine: Mapping[str, Any]) -> None:
    """The line in front of every table."""
    print(", ".join(f"{name}: {value}" for name, value in machine.items()), flush=True)


def write_json(path: Path | None, result: Mapping[str, Any]) -> None:
    """Writes a result, if it is wanted."""
    if path:
        path.write_text(json.dumps(result, indent=1) + "\n")
