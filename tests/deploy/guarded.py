"""Servers whose users are those of ``jobrouter acl``."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import redis

from engine.grants import USERS, Server, lines
from tests import support

PASSWORDS = {name: f"password-of-{name}" for name in USERS}


def kind_of(client: redis.Redis) -> Server:
    """Which commands a running server knows."""
    info: Any = client.info("server")
    name = "valkey" if "valkey_version" in info else "redis"
    major, minor, *_ = info[f"{name}_version"].split(".")
    return Server.parse(f"{name}-{major}.{minor}")


def kind_of_program(program: Path) -> Server:
    """The same of a program."""
    with support.server(program) as it, it.client() as client:
        return kind_of(client)


@contextlib.contextmanager
def guarded(program: Path, kind: Server, **options: str) -> Iterator[support.Server]:
    """A server that lets nobody in without a name; the block is its admin."""
    with tempfile.TemporaryDirectory(prefix="jr") as folder:
        users = Path(folder) / "users.acl"
        users.write_text("".join(f"{line}\n" for line in lines(kind, USERS, PASSWORDS)))
        it = support.Server(program, Path(folder), user="admin", password=PASSWORDS["admin"])
        try:
            it.start(aclfile=str(users), **options)
            yield it
        finally:
            it.kill()


def as_user(server: support.Server, name: str) -> support.Server:
    """The server for one of its users."""
    return server.signed_in(name, PASSWORDS[name])


@contextlib.contextmanager
def acting(server: support.Server, user: str) -> Iterator[redis.Redis]:
    """A client that looks everywhere; its pipelines are those of a user, to whom nothing may be refused."""
    with server.client() as client:
        rules = USERS[user](kind_of(client)).rules()
        client.execute_command("ACL", "SETUSER", user, *rules, "on", f">{PASSWORDS[user]}")  # type: ignore[no-untyped-call]
        client.acl_log_reset()
        with as_user(server, user).client() as acts:
            client.pipeline = acts.pipeline  # type: ignore[method-assign]
            yield client
        assert denied(client) == []


def denied(client: redis.Redis) -> list[str]:
    """What was refused to users, each as user, reason and command, key or channel."""
    entries: Any = client.acl_log()
    return [f"{one['username']} {one['reason']} {one['object']}" for one in entries]
