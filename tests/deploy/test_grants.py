"""Users of ``jobrouter acl`` on every kind of server: each may do what it has to, and no more."""

from __future__ import annotations

import asyncio
import hashlib
import re
from contextlib import closing
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest
import redis

from api.cli import main
from bench.client import Client
from bench.entities import policy, queue
from bench.site import Site
from engine.commands import RouterRights
from engine.deliveries.service import Deliveries
from engine.diagnosis import diagnose
from engine.grants import NOBODY, ROUTER, WRITES, Grant, Server, api, lines, worker
from engine.library import library
from engine.worker.alarms import CHANNELS
from engine.worker.expiry import Sweeper
from engine.worker.remote_rules import RemoteRules
from tests import support
from tests.deploy.guarded import PASSWORDS, as_user, denied, guarded, kind_of, kind_of_program
from tests.deploy.rare import RARE
from tests.lua.scenarios import SCENARIOS

ALL = {**SCENARIOS, **RARE}


@pytest.fixture(scope="module")
def used(server: support.Server) -> dict[str, str]:
    """By command of the library a scenario that uses it; all were played, as user api."""
    found: dict[str, str] = {}
    with server.client() as client:
        load(client)
        client.acl_log_reset()
        for name in sorted(ALL):
            client.flushdb()
            client.config_resetstat()
            play(server, "api", name)
            stats: Any = client.info("commandstats")
            for key in stats:
                found.setdefault(key.removeprefix("cmdstat_"), name)
        assert denied(client) == []
    return found


def load(client: redis.Redis) -> None:
    support.SyncStore(client).load()


def play(server: support.Server, user: str, name: str) -> None:
    """One scenario, with all that leads to it. Raises RuntimeError for what is refused."""
    with closing(Client(server.socket)) as client:
        client.call("AUTH", user, PASSWORDS["api"])
        here = Site(client)
        here.now = 1_000_000_000
        here.build([policy(), queue("empty")])
        here.run(ALL[name](here))


def test_the_scenarios_use_every_command(used: dict[str, str]) -> None:
    assert library().commands <= set(used)


def test_a_missing_command_fails(server: support.Server, admin: redis.Redis, used: dict[str, str]) -> None:
    """Whatever is taken from the list is missed, and the server tells of it."""
    granted = api(kind_of(admin))
    for command in sorted(library().commands):
        admin.acl_log_reset()
        grant(admin, "lacking", Grant(granted.commands - {command}, granted.keys))
        assert re.search("permission|can't run this command", failure(server, admin, used[command])), command
        assert f"lacking command {command}" in denied(admin)
    admin.acl_deluser("lacking")


def test_what_is_missing_is_told_before(server: support.Server, admin: redis.Redis) -> None:
    """And what the server does not have; of who may only read, all writes."""
    load(admin)
    granted = api(kind_of(admin))
    grant(admin, "lacking", Grant(granted.commands - {"zadd", "unlink"}, granted.keys))
    asked = RouterRights([*map(str.upper, sorted(library().commands)), "NO_COMMAND"])
    told = {}
    for user, password in (("lacking", PASSWORDS["api"]), *PASSWORDS.items()):
        if user in ("lacking", *ROUTER):
            with server.signed_in(user, password).client() as client:
                told[user] = support.SyncStore(client).run(ROOT, asked)["denied"]
    admin.acl_deluser("lacking")
    assert told == {
        "lacking": ["UNLINK", "ZADD", "NO_COMMAND"],
        "api": ["NO_COMMAND"],
        "worker": ["NO_COMMAND"],
        "reader": [*sorted(map(str.upper, WRITES)), "NO_COMMAND"],
    }


def test_a_reader_without_a_library_is_told_who_loads_it(
    server: support.Server, admin: redis.Redis, capsys: pytest.CaptureFixture[str]
) -> None:
    admin.function_flush()
    assert main(["check", "--redis-url", as_user(server, "reader").url]) == 1
    load(admin)
    assert "'jobrouter worker' and 'api' load it" in capsys.readouterr().err


def failure(server: support.Server, admin: redis.Redis, name: str) -> str:
    """What a scenario fails with as user lacking; what the library remembers may at first do without."""
    for _ in range(2):
        admin.flushdb()
        try:
            play(server, "lacking", name)
        except RuntimeError as error:
            return str(error)
        load(admin)
    return ""


def grant(admin: redis.Redis, user: str, given: Grant) -> None:
    admin.execute_command("ACL", "SETUSER", user, *given.rules(), "on", f">{PASSWORDS['api']}")  # type: ignore[no-untyped-call]


# ---- no more than that -------------------------------------------------------------------------------------

ROOT = "jr:{main}"
NOBODYS = (
    ("ACL", "SETUSER", "api", "+@all"),
    ("BGSAVE",),
    ("CONFIG", "SET", "maxmemory-policy", "allkeys-lru"),
    ("EVAL", "return 1", "0"),
    ("FLUSHALL",),
    ("FUNCTION", "DELETE", "jr"),
    ("FUNCTION", "FLUSH"),
    ("GET", "another's"),
    ("HGETALL", "jr:main"),
    ("KEYS", "*"),
    ("MONITOR",),
    ("PUBLISH", f"__keyspace@0__:{ROOT}:alarm", "set"),
    ("REPLICAOF", "localhost", "1"),
    ("SHUTDOWN",),
    ("SUBSCRIBE", "__keyspace@0__:another's"),
    ("SUBSCRIBE", f"__keyspace@1__:{ROOT}:alarm"),
    ("PSUBSCRIBE", "__keyspace@0__:*"),
)
OF_WRITERS = (
    ("FCALL", "jr_agenda_due", "1", ROOT, "0", "{}"),
    ("FUNCTION", "LOAD", "REPLACE", library().source),
    ("HSET", ROOT, "a", "b"),
    ("DEL", ROOT),
)
OF_THE_API = (("WAIT", "0", "1"),)
OF_WORKERS = tuple(("SUBSCRIBE", f"__keyspace@0__:{pattern.replace('*', 'main')}") for pattern in CHANNELS)


def refuses(server: support.Server, user: str, words: tuple[str, ...]) -> bool:
    """Is this refused to a user, for its rights?"""
    with as_user(server, user).client() as client, client.pubsub() as subscriber:
        try:
            if "SUBSCRIBE" in words[0]:
                subscriber.execute_command(*words)  # type: ignore[no-untyped-call]
                subscriber.parse_response()
            else:
                client.execute_command(*words)  # type: ignore[no-untyped-call]
        except redis.exceptions.NoPermissionError:
            return True
        except redis.ResponseError:
            return False
    return False


def test_what_each_user_may(server: support.Server, admin: redis.Redis) -> None:
    load(admin)
    wanted = {
        "api": {*NOBODYS, *OF_WORKERS},
        "worker": {*NOBODYS, *OF_THE_API},
        "reader": {*NOBODYS, *OF_WORKERS, *OF_WRITERS, *OF_THE_API},
    }
    for user, words in wanted.items():
        refused = {
            one for one in (*NOBODYS, *OF_WRITERS, *OF_WORKERS, *OF_THE_API) if refuses(server, user, one)
        }
        assert refused == words, user
        assert not refuses(server, user, ("FCALL_RO", "jr_router_status", "1", ROOT, "0", "{}"))


def test_nobody_gets_in_without_a_name(server: support.Server) -> None:
    for user, password in (("", ""), ("default", "x"), ("api", "password-of-worker")):
        stranger = server.signed_in(user, password)
        with stranger.client() as client, pytest.raises(redis.AuthenticationError):
            client.ping()


def test_which_commands_write(admin: redis.Redis) -> None:
    writing: Any = admin.acl_cat("write")
    assert library().commands & {str(name) for name in writing} == WRITES


def test_a_file_for_a_newer_server_is_refused(admin: redis.Redis) -> None:
    """So the versions count: what a server does not know makes its whole file invalid."""
    newest, ours = api(Server((99, 0))), api(kind_of(admin))
    if newest == ours:
        grant(admin, "probe", newest)
        admin.acl_deluser("probe")
    else:
        assert newest.commands > ours.commands
        with pytest.raises(redis.ResponseError, match="Unknown command"):
            grant(admin, "probe", newest)


def test_a_line_without_a_password_is_refused(admin: redis.Redis) -> None:
    for line in lines(kind_of(admin), ["api"], {}):
        _, name, *rules = line.split()
        if name == "api":
            with pytest.raises(redis.ResponseError):
                admin.execute_command("ACL", "SETUSER", "probe", *rules)  # type: ignore[no-untyped-call]


def test_a_reader_learns_where_a_router_is(server: support.Server) -> None:
    assert not refuses(server, "reader", ("CLUSTER", "KEYSLOT", ROOT))


# ---- after a restart ---------------------------------------------------------------------------------------

WRITTEN = {"appendonly": "yes", "appendfsync": "always"}
"""By default a kill may lose what was answered while the file was being synced."""


def test_what_users_wrote_comes_back(program: Path) -> None:
    options = {**WRITTEN, "enable_debug_command": "local"}
    with guarded(program, kind_of_program(program), **options) as server:
        with server.client() as client:
            load(client)
        play(server, "api", next(iter(SCENARIOS)))
        with server.client() as client:
            written = everything(client)
        assert written
        assert "drops_calls" not in told_by_a_doctor(server)
        server.kill()
        server.start(aclfile=str(server.folder / "users.acl"), **options)
        with server.client() as client:
            assert everything(client) == written
        with server.signed_in("", "").client() as nobody, pytest.raises(redis.AuthenticationError):
            nobody.ping()


def test_a_doctor_tells_that_a_restart_loses_everything(program: Path) -> None:
    """Only where it does."""
    with guarded(program, kind_of_program(program), **WRITTEN) as server:
        with server.client() as client:
            client.acl_setuser("default", reset=True)
            load(client)
        play(server, "api", next(iter(SCENARIOS)))
        told = told_by_a_doctor(server)
        server.kill()
        server.start(aclfile=str(without_rights(server.folder / "users.acl")), **WRITTEN)
        with server.client() as client:
            is_lost = not client.dbsize()
        assert ("drops_calls" in told) == is_lost


def without_rights(users: Path) -> Path:
    """The file, with a user default who may do nothing."""
    users.write_text(users.read_text().replace(NOBODY, "user default off"))
    return users


def told_by_a_doctor(server: support.Server) -> set[str]:
    async def work() -> set[str]:
        return {one.code async for one in diagnose(as_user(server, "reader").url, ["main"])}

    return asyncio.run(work())


def everything(client: redis.Redis) -> dict[str, Any]:
    """Each key with a digest of what it holds."""
    keys: list[str] = sorted(client.scan_iter())
    return {key: client.execute_command("DEBUG", "DIGEST-VALUE", key) for key in keys}  # type: ignore[no-untyped-call]


# ---- the command -------------------------------------------------------------------------------------------


def test_the_channels_are_those_that_workers_listen_to() -> None:
    unused: Any = Mock(total_seconds=1)
    parts = (
        Sweeper(unused, "main"),
        RemoteRules(unused, "main", unused, unused),
        Deliveries(unused, "main", unused, unused, 1),
    )
    assert {part.alarm for part in parts} == {pattern.replace("*", "main") for pattern in CHANNELS}
    granted = worker(Server((7, 0)), database=3)
    assert set(granted.channels) == {f"__keyspace@3__:{pattern}" for pattern in CHANNELS}


def test_the_command_prints_a_file(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JOBROUTER_PASSWORDS", "api=first secret=;worker=second")
    assert main(["acl"]) == 0
    out, err = capsys.readouterr()
    by_user = {line.split()[1]: line for line in out.splitlines()}
    assert list(by_user) == ["api", "worker", "reader", "default"]
    assert by_user["default"] == NOBODY
    assert by_user["api"].endswith(f" on #{hashlib.sha256(b'first secret=').hexdigest()}")
    assert "client|setinfo" not in out
    assert "secret" not in out + err
    assert "for reader (" in err
    assert main(["acl", "worker,admin", "--server-version", "valkey-8.0", "--database", "7"]) == 0
    out, _ = capsys.readouterr()
    assert "client|setinfo" in out
    assert "__keyspace@7__:" in out
    assert [line.split()[1] for line in out.splitlines()] == ["worker", "admin", "default"]


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (("api,somebody",), "There is no user 'somebody'"),
        (("--server-version", "redis-6.2"), "it must be redis- or valkey-"),
        (("--server-version", "valkey-7.2"), "it must be redis- or valkey-"),
        (("--passwords", "api"), "must be '<user>=<password>"),
        (("--passwords", "api="), "must be '<user>=<password>"),
        (("--passwords", "api=hidden;api=hidden"), "must be '<user>=<password>"),
        (("--passwords", "hidden=hidden"), "1 of the --passwords are of no user"),
    ],
)
def test_what_is_wrong_is_told(words: tuple[str, ...], text: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["acl", *words]) == 2
    out, err = capsys.readouterr()
    assert not out
    assert text in err
    assert "hidden" not in err
