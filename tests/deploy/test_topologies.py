"""The users in a cluster and behind Sentinel: through a failover nothing is refused, to servers neither."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from api.cli import main
from engine.commands import AgendaDue, RouterStatus
from engine.errors import Unavailable
from engine.grants import NOBODY, USERS, lines
from engine.store import Store, root_of
from tests import support
from tests.deploy.composed import DEPLOY
from tests.deploy.guarded import PASSWORDS, denied, kind_of_program
from tests.nodes import Node, cluster, free_ports
from tests.runtime.processes import jobrouter
from tests.support import eventually

REPLICATION = {"masteruser": "replica", "masterauth": PASSWORDS["replica"]}


@pytest.fixture(scope="module")
def users(server_program: Path, tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    return [*lines(kind_of_program(server_program), USERS, PASSWORDS)]


class Guarded(Node):
    """A server for its admin."""

    def client(self, seconds: float = 30.0) -> redis.Redis:
        it = super().client(seconds)
        it.connection_pool.connection_kwargs |= {"username": "admin", "password": PASSWORDS["admin"]}
        return it


def signed(user: str, url: str) -> str:
    """A URL for a user."""
    return url.replace("://", f"://{user}:{PASSWORDS[user]}@", 1)


async def persistent(store: Store, root: str) -> None:
    """A write as of a client that repeats what was not answered."""
    while True:
        try:
            await store.run(root, AgendaDue())
            return
        except Unavailable:
            await asyncio.sleep(0.01)


def write(url: str, *tenants: str) -> None:
    """A write to each tenant, as user api."""

    async def work() -> None:
        async with asyncio.timeout(4 * support.PATIENCE_SECONDS):
            store = await Store.open(signed("api", url))
            try:
                for tenant in tenants:
                    await persistent(store, root_of(tenant))
            finally:
                await store.close()

    asyncio.run(work())


def refused(nodes: list[Node]) -> list[str]:
    found: list[str] = []
    for node in nodes:
        with node.client() as client:
            found += denied(client)
    return found


def test_a_cluster(server_program: Path, users: list[str], tmp_path: Path) -> None:
    file = tmp_path / "users.acl"
    # the tests themselves have no name
    file.write_text("".join(f"{line}\n" for line in users if line != NOBODY))
    with cluster(server_program, aclfile=str(file), **REPLICATION) as it:
        tenants = it.tenants()
        write(it.url, *tenants)
        with jobrouter(
            "worker", "--redis-url", signed("worker", it.url), "--tenants", ",".join(tenants)
        ) as one:
            one.wait_for("^working")
            primary = it.primary_of(root_of(tenants[0]))
            (replica,) = it.replicas_of(primary)
            replica.do("CLUSTER", "FAILOVER")
            eventually(lambda: it.primary_of(root_of(tenants[0])) is replica and it.is_whole())
            write(it.url, *tenants)
            for tenant in tenants:
                eventually(lambda tenant=tenant: swept_by_a_worker(it.primary_of(root_of(tenant)), tenant))
            where = ("--redis-url", signed("reader", it.url), "--tenants", ",".join(tenants))
            assert main(["check", *where]) == 0
            assert one.end() == 0
        assert refused(it.nodes) == []


def swept_by_a_worker(node: Node, tenant: str) -> bool:
    """Has anybody swept since a look?"""
    with node.client() as client:
        store = support.SyncStore(client)
        before = store.run(root_of(tenant), RouterStatus())["swept_at"]
        return bool(
            eventually(lambda: store.run(root_of(tenant), RouterStatus())["swept_at"] > before, "a sweep")
        )


@pytest.fixture
def pair(server_program: Path, users: list[str], tmp_path: Path) -> Iterator[list[Guarded]]:
    """A primary and its replica."""
    file = tmp_path / "users.acl"
    file.write_text("".join(f"{line}\n" for line in users))
    nodes = [
        Guarded(server_program, tmp_path / str(port), port, aclfile=str(file), **REPLICATION)
        for port in free_ports(2)
    ]
    with contextlib.ExitStack() as stack:
        for node in nodes:
            stack.callback(node.kill)
            node.start()
        nodes[1].do("REPLICAOF", "127.0.0.1", nodes[0].port)
        eventually(lambda: follows(nodes[1]), "a replica")
        yield nodes


def follows(node: Node) -> bool:
    """Is it a replica that has all?"""
    try:
        with node.client() as client:
            link = client.info("replication")
    except redis.ConnectionError:
        # Sentinel closes the connections of who is primary no more
        return False
    return bool(link["role"] == "slave" and link["master_link_status"] == "up")


def fails_over(sentinel: Node) -> bool:
    """Does it begin a failover? Not before it knows enough of the replica."""
    try:
        return bool(sentinel.do("SENTINEL", "FAILOVER", "jobrouter"))
    except redis.ResponseError as error:
        if "NOGOODSLAVE" not in str(error):
            raise
        return False


def test_sentinel(server_program: Path, pair: list[Guarded], tmp_path: Path) -> None:
    """With the configuration that is delivered, for one Sentinel on this machine."""
    first, second = pair
    (port,) = free_ports(1)
    sentinel = Node(server_program, tmp_path / "sentinel", port)
    text = (DEPLOY / "sentinel.conf").read_text()
    for old, new in {
        "port 26379\n": "",
        "redis-1 6379 2": f"127.0.0.1 {first.port} 1",
        "PASSWORD_OF_SENTINEL": PASSWORDS["sentinel"],
    }.items():
        assert text.count(old) == 1
        text = text.replace(old, new)
    try:
        sentinel.start_sentinel(text)
        url = f"redis+sentinel://127.0.0.1:{port}/jobrouter"
        write(url, "main")
        eventually(lambda: fails_over(sentinel), "a replica that Sentinel holds for good")
        eventually(
            lambda: sentinel.do("SENTINEL", "GET-MASTER-ADDR-BY-NAME", "jobrouter")[1] == str(second.port),
            "a failover",
            4 * support.PATIENCE_SECONDS,
        )
        eventually(lambda: follows(first), "the former primary as replica", 4 * support.PATIENCE_SECONDS)
        write(url, "main")
        assert second.do("EXISTS", root_of("main")) == 1
        assert refused([first, second]) == []
    finally:
        sentinel.kill()
