"""``jobrouter expression``: tries a rule expression on labels, on a server of its own."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from api.cli.serve import run_until_told
from api.options import Options
from engine.commands import ExpressionEvaluate
from engine.data_directory import DataDirectory
from engine.embedded import Embedded
from engine.expressions import BadExpression, compile_expression
from engine.server_program import find_program
from engine.store import Reply, Store, root_of


def run(options: Options) -> int:
    """Prints the value as the language writes it. Gives 0, 1 when the expression fails, 2 when it is none."""
    try:
        tree = compile_expression(options.expression).text
    except BadExpression as error:
        print(*_marked(options.expression, error), f"jobrouter: {error}", sep="\n", file=sys.stderr)
        return 2

    async def work() -> int:
        reply = await _evaluated(ExpressionEvaluate(tree, options.job, options.worker, options.queue))
        if reply["kind"] == "error":
            print(f"jobrouter: The expression fails: {reply['value']}.", file=sys.stderr)
            return 1
        print(_written(reply["kind"], reply["value"]))
        return 0

    return run_until_told(work)


def _marked(source: str, error: BadExpression) -> tuple[str, str]:
    """The line of an error, and below it a mark at its column."""
    line = source.split("\n")[error.line - 1]
    return line, "".join("\t" if letter == "\t" else " " for letter in line[: error.column - 1]) + "^"


def _written(kind: str, value: str) -> str:
    if kind == "text":
        return '"' + value.replace('"', '""') + '"'
    return "Blank()" if kind == "blank" else value


async def _evaluated(command: ExpressionEvaluate) -> Reply:
    """The reply of the library in a server that lives only for it."""
    with (
        tempfile.TemporaryDirectory(prefix="jobrouter-expression-") as folder,
        DataDirectory(Path(folder)) as directory,
    ):
        server = Embedded(directory, find_program())
        await server.start()
        try:
            store = await Store.open(server.url)
            try:
                return await store.run(root_of("main"), command)
            finally:
                await store.close()
        finally:
            await server.stop()
