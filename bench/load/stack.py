"""A whole deployment on loopback: store, API replicas, workers and HAProxy, on ports the system gives."""

from __future__ import annotations

import contextlib
import http.client
import re
import secrets
import socket
import sys
import time
from base64 import b64encode
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import msgspec
import redis

from bench.load import balancer
from bench.load.interrupts import untorn
from bench.load.processes import Processes, lines
from bench.server import server

START_SECONDS = 30.0
LOOK_SECONDS = 0.05
CLEAN_SECONDS = 10.0


class Size(msgspec.Struct, frozen=True):
    """How much is started; ``redis_url`` empty: a server of its own, ``direct``: without HAProxy.

    ``more_tenants``: routers that the workers serve beside the one of the load.
    """

    replicas: int = 2
    workers: int = 1
    redis_url: str = ""
    direct: bool = False
    more_tenants: tuple[str, ...] = ()


class Part(NamedTuple):
    """How a replica or worker is started."""

    command: Sequence[str]
    variables: dict[str, str]


class Stack(msgspec.Struct):
    """What clients have to know: the key, the addresses they take turns over, and those of all replicas.

    ``parts`` are the replicas and workers, by name: ``api-1``, ``worker-1`` and so on.
    """

    key: bytes
    targets: list[str]
    ports: list[int]
    processes: Processes
    redis_url: str
    tenant: str
    parts: dict[str, Part]

    def start_again(self, name: str) -> None:
        """Starts a part that was killed, where it was; the balancer finds it when it is ready."""
        self.processes.start(name, *self.parts[name])


@contextlib.contextmanager
def stack(size: Size, logs: Path) -> Iterator[Stack]:
    """Runs a deployment, ready when the block begins, with a router that nobody else has.

    Raises RuntimeError when HAProxy is missing, the store does not answer, or a part does not start.
    """
    if not size.direct and balancer.program() is None:
        raise RuntimeError(balancer.MISSING)
    key, tenant = secrets.token_bytes(32), f"load-{secrets.token_hex(6)}"
    with contextlib.ExitStack() as stack:
        if size.redis_url:
            url = size.redis_url
            _look(url)
            for name in (tenant, *size.more_tenants):
                stack.callback(_clean, url, name)
        else:
            with untorn():
                url = f"unix://{stack.enter_context(server(persistent=True))}"
        processes = stack.enter_context(Processes(logs))
        program = (sys.executable, "-m", "api.cli")
        # the address may hold a password: not for a command line
        variables = {"JOBROUTER_REDIS_URL": url, "JOBROUTER_TENANTS": ",".join((tenant, *size.more_tenants))}
        parts = {
            f"worker-{number}": Part((*program, "worker"), variables) for number in range(1, size.workers + 1)
        }
        for name, part in parts.items():
            processes.start(name, *part)
        variables = {
            "JOBROUTER_REDIS_URL": url,
            "JOBROUTER_ACCESS_KEYS": f"{tenant}={b64encode(key).decode()}",
            "JOBROUTER_HOSTS": f"{tenant}=127.0.0.1",
        }
        started = [
            processes.start(f"api-{number}", (*program, "api", "--port", "0"), variables, piped=True)
            for number in range(1, size.replicas + 1)
        ]
        ports = [_port(lines(process, START_SECONDS)) for process in started]
        for number, port in enumerate(ports, 1):
            parts[f"api-{number}"] = Part((*program, "api", "--port", str(port)), variables)
            _until_ready(port, processes)
        at = ports if size.direct else [_balance(stack, processes, ports, logs)]
        yield Stack(key, [f"http://127.0.0.1:{port}" for port in at], ports, processes, url, tenant, parts)


def _port(printed: Iterator[str]) -> int:
    """The port that a replica says it listens on."""
    port = 0
    for line in printed:
        if found := re.search(r"http://[\w.]+:(\d+)/", line):
            port = int(found[1])
        if line.startswith("ready"):
            return port
    raise RuntimeError("a replica did not start: see the logs in the report")


def _until_ready(port: int, processes: Processes) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        processes.check()
        with contextlib.suppress(OSError, http.client.HTTPException):
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
            with contextlib.closing(connection):
                connection.request("GET", "/health/ready")
                if connection.getresponse().status == 200:
                    return
        time.sleep(LOOK_SECONDS)
    raise RuntimeError(f"port {port} is not ready")


def _balance(stack: contextlib.ExitStack, processes: Processes, ports: list[int], logs: Path) -> int:
    """Starts HAProxy on a socket that we have bound, so that the system gives its port."""
    listening = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=1024))
    file = logs / "haproxy.cfg"
    file.write_text(balancer.configuration(f"fd@{listening.fileno()}", ports))
    command = (balancer.program() or "haproxy", "-db", "-f", str(file))
    processes.start("haproxy", command, {}, fds=(listening.fileno(),))
    port = int(listening.getsockname()[1])
    _until_ready(port, processes)
    return port


def _look(url: str) -> None:
    try:
        with contextlib.closing(_client(url)) as client:
            client.ping()
    except (redis.RedisError, ValueError) as error:
        raise RuntimeError(f"the store cannot be used: {error}") from None


def _client(url: str) -> redis.Redis:
    return redis.Redis.from_url(url, socket_timeout=5, socket_connect_timeout=5)


def _clean(url: str, tenant: str) -> None:
    """Takes away what the run has left in a store that is not ours; bounded."""
    deadline = time.monotonic() + CLEAN_SECONDS
    with contextlib.suppress(redis.RedisError), contextlib.closing(_client(url)) as client:
        cursor = 0
        while time.monotonic() < deadline:
            cursor, keys = client.scan(cursor, match=f"jr:{{{tenant}}}*", count=500)
            if keys:
                client.unlink(*keys)
            if not cursor:
                return
    print(f"keys of the router '{tenant}' are left in the store", file=sys.stderr)
