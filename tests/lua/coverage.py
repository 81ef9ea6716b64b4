"""Line coverage of the Lua library inside a real server: a mark before every statement, told by a function.

StyLua keeps one statement a line, so a mark can stand at the front of each line on which a statement begins.
Marks are set in a table that lives as long as the library is loaded; ``collect`` keeps them in a folder:

    JOBROUTER_LUA_COVERAGE=folder pytest …
    python -m tests.lua.coverage folder
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Iterable, Iterator
from itertools import groupby
from pathlib import Path
from typing import Any

import msgspec
from luaparser import ast, astnodes

import engine.library
from engine.library import Library, assemble, lua_directory

VARIABLE = "JOBROUTER_LUA_COVERAGE"
FUNCTION = "jr_coverage"
FLOOR = 95.0

MARKS = "local COVERED = {} "
TELL = f"""redis.register_function({{
  function_name = "{FUNCTION}",
  callback = function()
    local places = {{}}
    for place in pairs(COVERED) do
      places[#places + 1] = place
    end
    return places
  end,
  flags = {{ "no-writes" }},
}})
"""


def statement_lines(source: str) -> list[int]:
    """The lines on which statements begin."""
    blocks = (node for node in ast.walk(ast.parse(source)) if isinstance(node, astnodes.Block))
    return sorted({statement.line for block in blocks for statement in block.body})


def lua_texts(directory: Path) -> dict[str, str]:
    """The files of the library."""
    return {str(path.relative_to(directory)): path.read_text() for path in sorted(directory.rglob("*.lua"))}


def statements(texts: dict[str, str]) -> set[str]:
    """All places that can be covered, as file:line."""
    return {f"{name}:{line}" for name, text in texts.items() for line in statement_lines(text)}


def instrument(directory: Path) -> Library:
    """The library with a mark before every statement; version, digest and lines are those of the original."""
    texts = {name: _marked(name, text) for name, text in lua_texts(directory).items()}
    library = assemble(directory, {**texts, "coverage.lua": TELL})
    # on the same line, so that no line moves
    source = library.source.replace("local LIBRARY_VERSION", MARKS + "local LIBRARY_VERSION", 1)
    return msgspec.structs.replace(library, source=source)


def _marked(name: str, text: str) -> str:
    rows = text.split("\n")
    for line in statement_lines(text):
        row = rows[line - 1]
        margin = len(row) - len(row.lstrip())
        rows[line - 1] = f'{row[:margin]}COVERED["{name}:{line}"] = 1 {row[margin:]}'
    return "\n".join(rows)


# ---- while tests run ---------------------------------------------------------------------------------------


def folder() -> Path | None:
    """Where marks are to be collected; None when they are not."""
    name = os.environ.get(VARIABLE)
    return Path(name) if name else None


def enable() -> None:
    """Makes this process load the instrumented library; does nothing unless the variable is set."""
    if folder():
        marked = instrument(lua_directory())
        engine.library.library.cache_clear()
        engine.library.assemble = lambda *_: marked


def collect(call: Callable[..., Any]) -> None:
    """Keeps the marks of a server; to be called before it ends and before its library is flushed or replaced.

    ``call`` sends a command, as ``Redis.execute_command`` does.
    """
    place = folder()
    if place:
        place.mkdir(parents=True, exist_ok=True)
        marks = call("FCALL_RO", FUNCTION, 0)
        text = [mark if isinstance(mark, str) else mark.decode() for mark in marks]
        with (place / f"{os.getpid()}.marks").open("a") as out:
            out.writelines(f"{mark}\n" for mark in text)


# ---- afterwards --------------------------------------------------------------------------------------------


def report(wanted: set[str], covered: set[str]) -> Iterator[str]:
    """One line a file that has missed lines, and the total."""
    missed = sorted((name, int(line)) for name, line in (place.rsplit(":", 1) for place in wanted - covered))
    for name, lines in groupby(missed, key=lambda place: place[0]):
        yield f"{name:32} {_ranges(line for _, line in lines)}"
    yield f"Lua: {len(wanted & covered)} of {len(wanted)} statements, {percent(wanted, covered):.1f} %"


def percent(wanted: set[str], covered: set[str]) -> float:
    """How much is covered."""
    return 100 * len(wanted & covered) / len(wanted)


def _ranges(lines: Iterable[int]) -> str:
    """Line numbers with runs joined: 3, 7-9."""
    runs: list[list[int]] = []
    for line in lines:
        if runs and line == runs[-1][-1] + 1:
            runs[-1].append(line)
        else:
            runs.append([line])
    return ", ".join(str(run[0]) if len(run) == 1 else f"{run[0]}-{run[-1]}" for run in runs)


def main() -> int:
    """Merges what all processes have collected; fails below the floor."""
    parser = argparse.ArgumentParser(prog="tests.lua.coverage", description="Reports Lua coverage.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--floor", type=float, default=FLOOR, help=f"least percentage, {FLOOR:g} by default")
    given = parser.parse_args()
    wanted = statements(lua_texts(lua_directory()))
    covered = {line for path in given.folder.glob("*.marks") for line in path.read_text().splitlines()}
    print(*report(wanted, covered), sep="\n")
    return 0 if percent(wanted, covered) >= given.floor else 1


if __name__ == "__main__":
    sys.exit(main())
