"""The Lua library as plain calls of one tenant, several in one round trip."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import redis

from engine.commands import Command
from engine.library import assemble, lua_directory
from engine.server_program import find_program
from engine.store import named, translated
from tests import support
from tests.lua import coverage

Reply = dict[str, Any]
SMALL_LIMITS = {
    "LISTED_ROWS": 1000,
    "MEMO": 8,
    "DIRECT_LANES": 1,
    "REMEMBERED_CLASSES": 2,
    "DECLINES_PER_CLEARING": 1,
    "INDEXED_BYTES": 1,
    "INDEXED_CLASSES": 2,
    "TURNS_FIRST": 3,
    "FEW_TURNS": 4,
    "SURVEYED_CLASSES": 1,
    "SAMPLED_FROM": 3,
    "EXPLAINED_JOBS": 2,
    "EXPLAINED_QUEUES": 1,
    "CANDIDATES": 2,
}


@contextlib.contextmanager
def private_client(lua: Path | None = None, small: bool = False) -> Iterator[redis.Redis]:
    """A client of a private server with the library; ``small``: with bounds that are met often."""
    with support.server(find_program()) as server, server.client() as client:
        client.function_load(source(lua or lua_directory(), small), replace=True)
        if small:
            # else small sets are scanned as a whole; Redis 7.0 never does that
            with contextlib.suppress(redis.ResponseError):
                client.config_set("set-max-listpack-entries", 0)
        yield client
        coverage.collect(client.execute_command)


def source(lua: Path, small: bool, replaced: dict[str, str] | None = None) -> str:
    """The library of a folder, its bounds made small where wanted, other texts for some of its files."""
    limits = (lua / "call" / "limits.lua").read_text()
    for name, bound in SMALL_LIMITS.items() if small else ():
        limits, found = re.subn(rf"^limits\.{name} = \d+$", f"limits.{name} = {bound}", limits, flags=re.M)
        assert found == 1, name
    return assemble(lua, {"call/limits.lua": limits, **(replaced or {})}).source


class Store:
    """One tenant of a server."""

    def __init__(self, client: redis.Redis, root: str) -> None:
        self.redis = client
        self.root = root

    def run(self, command: Command, now: int) -> Reply:
        """Runs one command; raises engine.errors.Refused."""
        return self.run_all([command], now)[0]

    def run_all(self, commands: Sequence[Command], now: int) -> list[Reply]:
        """Runs commands in one round trip; the first error is raised."""
        pipe = self.redis.pipeline(transaction=False)
        for command in commands:
            name = "FCALL" if command.write else "FCALL_RO"
            pipe.execute_command(name, command.function, 1, self.root, now, *command.arguments())  # type: ignore[no-untyped-call]
        replies = []
        for command, answer in zip(commands, pipe.execute(raise_on_error=False), strict=True):
            if isinstance(answer, redis.ResponseError):
                raise translated(command, str(answer))
            if isinstance(answer, Exception):
                raise answer
            replies.append(command.completed(named(answer)))
        return replies
