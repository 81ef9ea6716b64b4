"""Servers that belong together, for tests: a cluster of three primaries with a replica each; Sentinels."""

from __future__ import annotations

import contextlib
import functools
import itertools
import signal
import socket
import subprocess
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import redis
from redis.backoff import NoBackoff
from redis.crc import key_slot
from redis.retry import Retry

from engine.embedded import OPTIONS, environment
from tests import support

NODE_TIMEOUT_MS = 1_000
"""How long a node may be silent before the others hold it for failed."""

PRIMARIES = 3
SLOTS = 16_384
ALARMS = {"notify-keyspace-events": OPTIONS["notify-keyspace-events"]}


def slots_of(part: int) -> range:
    """The slots that one of the primaries has at first."""
    return range(SLOTS * part // PRIMARIES, SLOTS * (part + 1) // PRIMARIES)


def part_of(root: str) -> int:
    """Which of the primaries has a tenant's keys at first."""
    slot = key_slot(root.encode("utf-8", "surrogateescape"))
    return next(part for part in range(PRIMARIES) if slot in slots_of(part))


def free_ports(count: int) -> list[int]:
    """Ports that nobody listens at, as the system gives them."""
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [int(one.getsockname()[1]) for one in sockets]


class Node:
    """One server on a port of its own, which it keeps when it is killed and started again."""

    def __init__(self, program: Path, folder: Path, port: int, **options: str) -> None:
        self.port = port
        self._program = program
        self._folder = folder
        self.options = options
        self._process: subprocess.Popen[bytes] | None = None
        folder.mkdir()

    @property
    def runs(self) -> bool:
        """Has it been started, and not killed?"""
        return self._process is not None

    def start(self) -> None:
        """Starts it."""
        options = {
            **OPTIONS,
            "appendonly": "no",
            "bind": "127.0.0.1",
            "repl-diskless-sync-delay": "0",
            **{name.replace("_", "-"): text for name, text in self.options.items()},
            "port": str(self.port),
        }
        self._launch([word for name, value in options.items() for word in (f"--{name}", value)])

    def start_sentinel(self, configuration: str) -> None:
        """Starts it as a Sentinel with this configuration, to which Sentinels add what they learn."""
        file = self._folder / "sentinel.conf"
        if not file.exists():
            file.write_text(f"port {self.port}\nbind 127.0.0.1\n{configuration}")
        self._launch([str(file), "--sentinel"])

    def _launch(self, words: list[str]) -> None:
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [self._program, *words],
                stdout=log,
                stderr=log,
                cwd=self._folder,
                env=environment(self._program),
            )
        with self.client() as client:
            support.eventually(lambda: self._answers(client), f"start of {self._program}")

    def _answers(self, client: redis.Redis) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, (self._folder / "log").read_text()
        with contextlib.suppress(redis.ConnectionError, redis.TimeoutError):
            return bool(client.ping())
        return False

    def set_node_timeout(self) -> None:
        """From now on it notices soon that another is silent."""
        if "cluster_enabled" in self.options:
            self.do("CONFIG", "SET", "cluster-node-timeout", NODE_TIMEOUT_MS)

    def do(self, *words: str | int, seconds: float = 0.5) -> Any:
        """The raw reply to one command, in this time."""
        with self.client(seconds) as client:
            client.response_callbacks.clear()
            return client.execute_command(*words)  # type: ignore[no-untyped-call]

    def client(self, seconds: float = 30.0) -> redis.Redis:
        """A client that repeats nothing."""
        return redis.Redis(
            host="127.0.0.1",
            port=self.port,
            protocol=2,
            socket_timeout=seconds,
            retry=Retry(NoBackoff(), 0),
            decode_responses=True,
            encoding_errors="surrogateescape",
        )

    def kill(self) -> None:
        """Ends it at once, also when it stands still."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def stand_still(self) -> None:
        """It answers nobody until it goes on."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def mend(self) -> None:
        """Lets it go on, or starts it again."""
        if self._process is None:
            self.start()
            self.set_node_timeout()
        else:
            self._process.send_signal(signal.SIGCONT)


class Cluster:
    """Three primaries, each with its replica; who is primary changes when one fails."""

    def __init__(self, nodes: list[Node]) -> None:
        self.nodes = nodes

    @property
    def url(self) -> str:
        return "redis+cluster://" + ",".join(f"127.0.0.1:{node.port}" for node in self.nodes[:PRIMARIES])

    def form(self) -> None:
        """Makes a cluster of nodes that have just been started."""
        ids = []
        for number, node in enumerate(self.nodes):
            ids.append(str(node.do("CLUSTER", "MYID")))
            node.do("CLUSTER", "SET-CONFIG-EPOCH", number + 1)
            if number < PRIMARIES:
                slots = slots_of(number)
                node.do("CLUSTER", "ADDSLOTSRANGE", slots[0], slots[-1])
            for other in self.nodes[:number]:
                node.do("CLUSTER", "MEET", "127.0.0.1", other.port, other.options["cluster_port"])
        for node, primary in zip(self.nodes[PRIMARIES:], ids, strict=False):
            support.eventually(functools.partial(_replicates, node, primary), "a replica")
        support.eventually(self.is_whole, "a whole cluster", 60)
        for node in self.nodes:
            node.set_node_timeout()

    def is_whole(self) -> bool:
        """Does every node know of three primaries, each with a replica that follows it?"""
        try:
            return all(map(_sees_all, self.nodes))
        except redis.RedisError:
            return False

    def primary_of(self, root: str) -> Node:
        """Who is primary for a tenant now, as most nodes say."""
        slot = key_slot(root.encode())
        votes: Counter[int] = Counter()
        for node in self.nodes:
            # who stands still or is dead has no vote
            with contextlib.suppress(redis.RedisError):
                votes.update(port for first, last, port, _ in _slots(node) if first <= slot <= last)
        port = votes.most_common(1)[0][0]
        return next(node for node in self.nodes if node.port == port)

    def replicas_of(self, primary: Node) -> list[Node]:
        """Its replicas, as it says itself."""
        ports = {port for _, _, own, others in _slots(primary) if own == primary.port for port in others}
        return [node for node in self.nodes if node.port in ports]

    def tenants(self, prefix: str = "t") -> list[str]:
        """Names of tenants, one for each primary."""
        found: dict[int, str] = {}
        for number in itertools.count(1):
            name = f"{prefix}{number}"
            found.setdefault(part_of(f"jr:{{{name}}}"), name)
            if len(found) == PRIMARIES:
                return [found[part] for part in sorted(found)]
        raise AssertionError

    def mend(self) -> None:
        """Starts what was ended, lets go on what was stopped, and waits until all is whole."""
        for node in self.nodes:
            node.mend()
        support.eventually(self.is_whole, "a whole cluster", 60)

    def kill(self) -> None:
        for node in self.nodes:
            node.kill()


def _replicates(node: Node, primary: str) -> bool:
    try:
        node.do("CLUSTER", "REPLICATE", primary)
    except redis.ResponseError:
        # it has not heard of it yet
        return False
    return True


def _sees_all(node: Node) -> bool:
    if "cluster_state:ok" not in str(node.do("CLUSTER", "INFO")):
        return False
    rows = _slots(node)
    if len({port for _, _, port, _ in rows}) != PRIMARIES or not all(others for *_, others in rows):
        return False
    with node.client() as client:
        link = client.info("replication")
    return link["role"] == "master" or link["master_link_status"] == "up"


def _slots(node: Node) -> list[tuple[int, int, int, list[int]]]:
    """First and last slot, the port of its primary and those of its replicas."""
    rows = node.do("CLUSTER", "SLOTS")
    return [(int(row[0]), int(row[1]), int(row[2][1]), [int(one[1]) for one in row[3:]]) for row in rows]


@contextlib.contextmanager
def cluster(program: Path, **options: str) -> Iterator[Cluster]:
    """A running cluster."""
    with tempfile.TemporaryDirectory(prefix="jr") as folder:
        ports = free_ports(4 * PRIMARIES)
        nodes = [
            Node(
                program,
                Path(folder, str(number)),
                ports[2 * number],
                cluster_enabled="yes",
                cluster_port=str(ports[2 * number + 1]),
                # while they get to know each other, a busy machine may be slow
                cluster_node_timeout="15000",
                **options,
            )
            for number in range(2 * PRIMARIES)
        ]
        it = Cluster(nodes)
        try:
            for node in nodes:
                node.start()
            it.form()
            yield it
        finally:
            it.kill()


class Watched:
    """A primary with a replica that three Sentinels look after."""

    NAME = "routers"

    def __init__(self, servers: list[Node], sentinels: list[Node]) -> None:
        self.servers = servers
        self.sentinels = sentinels

    @property
    def url(self) -> str:
        return f"redis+sentinel://{','.join(f'127.0.0.1:{one.port}' for one in self.sentinels)}/{self.NAME}"

    def primary(self) -> Node:
        """Who is primary, as the first Sentinel says."""
        _, port = self.sentinels[0].do("SENTINEL", "GET-MASTER-ADDR-BY-NAME", self.NAME)
        return next(one for one in self.servers if one.port == int(port))

    def is_whole(self) -> bool:
        """Do all Sentinels know of each other and of one replica that follows its primary?"""
        try:
            for sentinel in self.sentinels:
                words = sentinel.do("SENTINEL", "MASTER", self.NAME)
                told = dict(zip(words[::2], words[1::2], strict=True))
                if (told["num-other-sentinels"], told["num-slaves"], told["flags"]) != ("2", "1", "master"):
                    return False
                ((*words,),) = sentinel.do("SENTINEL", "REPLICAS", self.NAME)
                told = dict(zip(words[::2], words[1::2], strict=True))
                if (told["flags"], told["master-link-status"]) != ("slave", "ok"):
                    return False
        except redis.RedisError:
            return False
        return True

    def kill(self) -> None:
        for node in (*self.sentinels, *self.servers):
            node.kill()


@contextlib.contextmanager
def watched(program: Path, **options: str) -> Iterator[Watched]:
    """A running primary with its replica, and Sentinels that agree on it."""
    with tempfile.TemporaryDirectory(prefix="jr") as folder:
        ports = free_ports(5)
        nodes = [
            Node(program, Path(folder, str(number)), port, **options) for number, port in enumerate(ports)
        ]
        it = Watched(nodes[:2], nodes[2:])
        configuration = "\n".join(
            (
                f"sentinel monitor {it.NAME} 127.0.0.1 {ports[0]} 2",
                f"sentinel down-after-milliseconds {it.NAME} {NODE_TIMEOUT_MS}",
                f"sentinel failover-timeout {it.NAME} {2 * NODE_TIMEOUT_MS}",
            )
        )
        try:
            primary, replica = it.servers
            primary.start()
            replica.start()
            replica.do("REPLICAOF", "127.0.0.1", primary.port)
            for sentinel in it.sentinels:
                sentinel.start_sentinel(configuration)
            support.eventually(it.is_whole, "Sentinels that know each other", 60)
            yield it
        finally:
            it.kill()
