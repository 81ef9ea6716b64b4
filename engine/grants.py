"""What each user of the store may do: rules of the server's access control list (ACL).

A function runs with the rights of its caller, and one that is refused a command in its middle leaves what it
has written half done. So the commands of the library are not listed here: they are read from its text.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping

import msgspec

from engine.library import library
from engine.worker.alarms import CHANNELS

KEYS = "jr:{*}*"
"""The keys of all routers."""

_SINCE = {"client|setinfo": (7, 2)}
"""The version of Redis that brought a command, where the oldest that is supported lacks it."""

WRITES = frozenset(
    (
        *("del", "hdel", "hincrby", "hset", "hsetnx", "lpop", "rpush", "sadd", "set", "srem", "unlink"),
        *("xadd", "xdel", "xtrim", "zadd", "zincrby", "zrem"),
    )
)
"""Commands of the library that write; a test compares them with what servers say."""

_CONNECTION = ("client|setinfo", "client|setname", "ping", "select")
_TOPOLOGY = ("cluster|slots",)
_LOOKING = ("config|get", "function|list", "info", "time")
_ANY = (*_CONNECTION, *_TOPOLOGY, *_LOOKING, "fcall_ro", "exists", "xread")
_WORKING = (*_ANY, "fcall", "function|load")
_LISTENING = ("subscribe", "unsubscribe")
_CHECKING = ("scan", "zcard", "zcount", "zscan")
_DEBUGGING = (
    *(
        "dbsize",
        "hscan",
        "llen",
        "lrange",
        "memory|usage",
        "object|encoding",
        "pttl",
        "strlen",
        "ttl",
        "type",
    ),
    *("xinfo|stream", "xrevrange"),
    *(
        "acl|dryrun",
        "acl|whoami",
        "client|list",
        "cluster|info",
        "cluster|keyslot",
        "cluster|nodes",
        "cluster|shards",
        "command",
        "role",
    ),
    *("latency|histogram", "latency|latest", "slowlog|get", "slowlog|len"),
)
"""What redis-cli and exporters of metrics look with."""


class Server(msgspec.Struct, frozen=True):
    """A kind of server and its version, as far as its commands go. Valkey began as Redis 7.2."""

    version: tuple[int, int]

    @classmethod
    def parse(cls, text: str) -> Server:
        """Reads ``redis-7.0`` or ``valkey-9.1``. Raises ValueError."""
        found = re.fullmatch(r"(redis|valkey)-(\d+)\.(\d+)", text)
        if not found:
            raise ValueError
        version = int(found[2]), int(found[3])
        if version < {"redis": (7, 0), "valkey": (8, 0)}[found[1]]:
            raise ValueError
        return cls((7, 2) if found[1] == "valkey" else version)

    def knows(self, command: str) -> bool:
        """Whether it has this command."""
        return self.version >= _SINCE.get(command, (0, 0))


OLDEST = Server((7, 0))


class Grant(msgspec.Struct, frozen=True):
    """What a user may do: its commands (a subcommand behind a bar), patterns of keys, and of channels."""

    commands: frozenset[str]
    keys: tuple[str, ...] = ()
    channels: tuple[str, ...] = ()

    def rules(self) -> Iterator[str]:
        """The rules that grant this, and nothing else, in an order that is always the same."""
        yield from ("reset", "resetchannels", *self.keys)
        yield from (f"&{channel}" for channel in self.channels)
        yield from (f"+{command}" for command in sorted(self.commands))


def api(server: Server, database: int = 0) -> Grant:
    """The API: all functions, waiting for replicas, the live events, and loading the library."""
    return _grant(server, library().commands, _WORKING, ("wait",), keys=f"~{KEYS}")


def worker(server: Server, database: int = 0) -> Grant:
    """A worker: all functions, loading the library, and the channels that wake it in this database."""
    channels = tuple(f"__keyspace@{database}__:{pattern}" for pattern in CHANNELS)
    return _grant(
        server, library().commands, _WORKING, _LISTENING, ("zrevrange",), keys=f"~{KEYS}", channels=channels
    )


def reader(server: Server, database: int = 0) -> Grant:
    """Who only looks: with functions that read, ``check``, ``doctor``, ``top``, redis-cli, exporters."""
    reads = library().commands - WRITES
    return _grant(server, reads, _ANY, _CHECKING, _DEBUGGING, keys=f"%R~{KEYS}")


def admin(server: Server, database: int = 0) -> Grant:
    """The operator: everything."""
    return Grant(frozenset({"@all"}), ("~*",), ("*",))


def replica(server: Server, database: int = 0) -> Grant:
    """A replica, at its primary (``masteruser``)."""
    return Grant(frozenset({"ping", "psync", "replconf"}))


def sentinel(server: Server, database: int = 0) -> Grant:
    """Sentinel, at the servers that it watches (``sentinel auth-user``)."""
    commands = (
        *("client|kill", "client|setname", "config|rewrite", "exec", "info", "multi", "ping", "publish"),
        *("replicaof", "role", "script|kill", "slaveof", "subscribe"),
    )
    return Grant(frozenset(commands), channels=("__sentinel__:hello",))


def _grant(server: Server, *commands: Iterable[str], keys: str, channels: tuple[str, ...] = ()) -> Grant:
    known = frozenset(one for some in commands for one in some if server.knows(one))
    return Grant(known, (keys,), channels)


USERS = {
    "api": api,
    "worker": worker,
    "reader": reader,
    "admin": admin,
    "replica": replica,
    "sentinel": sentinel,
}
"""By name what each user is granted on a server, for a database."""

ROUTER = ("api", "worker", "reader")
"""The users of a router; the others are for the servers' own sake."""


NOBODY = "user default reset ~* &* +@all"
"""Who has no name: ``reset`` takes the password, without which nobody can be him, and switches him off."""


def lines(
    server: Server, users: Iterable[str], passwords: Mapping[str, str], database: int = 0
) -> Iterator[str]:
    """The lines of a file of users, the last of which bars all who have no name.

    He may do everything nevertheless: a server that loads its append-only file checks what was written in
    transactions, as all calls of functions are, against his rights, and drops what he may not do.

    Of passwords only their hashes stand there. Where one is missing stands a text that no server takes: so
    nobody can get in by a password that everybody knows.
    """
    for name in users:
        rules = " ".join(USERS[name](server, database).rules())
        password = passwords.get(name)
        secret = (
            hashlib.sha256(password.encode()).hexdigest()
            if password
            else f"SHA-256_OF_THE_PASSWORD_OF_{name}"
        )
        yield f"user {name} {rules} on #{secret}"
    yield NOBODY
