"""What tests share: a private server, a synchronous store, a served application, waiting with a deadline."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import subprocess
import tempfile
import threading
import time
from base64 import b64encode
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, ClassVar, TypeVar

import redis
import uvloop
from redis.backoff import NoBackoff
from redis.retry import Retry

from api.app import create_app
from api.serving import tls
from api.serving.listeners import listen, serving
from api.serving.runtime import worker_of
from engine.commands import Command
from engine.embedded import OPTIONS, environment
from engine.feed import ROOM, Feeds
from engine.health import Health
from engine.library import library
from engine.replicated import Durability
from engine.servers import Servers
from engine.settings import Rate, Settings, Tenant
from engine.store import Store, named, translated
from engine.worker.service import Worker

T = TypeVar("T")

KEY = b"0123456789abcdef0123456789abcdef"
PATIENCE_SECONDS = 15.0
LOOPBACK = ("127.0.0.0/8", "::1")


def eventually(look: Callable[[], T], what: str = "", seconds: float = PATIENCE_SECONDS) -> T:
    """The first truthy answer of a look; fails when there is none in time."""
    deadline = time.monotonic() + seconds
    while True:
        answer = look()
        if answer:
            return answer
        assert time.monotonic() < deadline, f"not within {seconds} s: {what or look}"
        time.sleep(0.005)


def free_port() -> int:
    """A port that nobody listens at, as the system gives it."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


@dataclass
class Server:
    """A private server on a unix socket, with the options of the embedded one but without persistence.

    Clients, and who is given the URL, sign in as ``user``; nobody in particular when that is empty. Its
    environment has ``variables``.
    """

    program: Path
    folder: Path
    process: subprocess.Popen[bytes] | None = None
    user: str = ""
    password: str = ""
    variables: Mapping[str, str] = field(default_factory=dict)
    clustered: ClassVar[bool] = False
    """Is each a cluster of one?"""

    @property
    def socket(self) -> Path:
        return self.folder / "s"

    @property
    def url(self) -> str:
        return f"unix://{self.user}:{self.password}@{self.socket}" if self.user else f"unix://{self.socket}"

    def signed_in(self, user: str, password: str) -> Server:
        """The same server, for another user."""
        return replace(self, user=user, password=password)

    def start(self, **more: str) -> None:
        options = {
            **OPTIONS,
            "appendonly": "no",
            **({"cluster-enabled": "yes", "cluster-port": str(free_port())} if self.clustered else {}),
            **{name.replace("_", "-"): text for name, text in more.items()},
        }
        words = [word for name, value in options.items() for word in (f"--{name}", value)]
        command = [str(self.program), "--unixsocket", str(self.socket), "--dir", str(self.folder), *words]
        variables = {**environment(self.program), **self.variables}
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log, env=variables)
        with self.client() as client:
            eventually(lambda: self._answers(client), f"start of {self.program}")
            if self.clustered:
                self._take_all_slots(client)

    def _take_all_slots(self, client: redis.Redis) -> None:
        client.response_callbacks.clear()
        free: list[int] = []
        first = 0
        # a node that finds keys when it starts has taken the slots of these
        for start, end, *_ in sorted(client.execute_command("CLUSTER", "SLOTS")):  # type: ignore[no-untyped-call]
            free += [first, start - 1] if first < start else []
            first = end + 1
        free += [first, 16_383] if first <= 16_383 else []
        if free:
            client.execute_command("CLUSTER", "ADDSLOTSRANGE", *free)  # type: ignore[no-untyped-call]

        def is_ready() -> bool:
            return "cluster_state:ok" in str(client.execute_command("CLUSTER", "INFO"))  # type: ignore[no-untyped-call]

        eventually(is_ready, "a cluster of one")

    def _answers(self, client: redis.Redis) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, (self.folder / "log").read_text()
        with contextlib.suppress(redis.ConnectionError):
            return bool(client.ping())
        return False

    def client(self) -> redis.Redis:
        """A client that repeats nothing."""
        return redis.Redis(
            unix_socket_path=str(self.socket),
            username=self.user or None,
            password=self.password or None,
            socket_timeout=30,
            retry=Retry(NoBackoff(), 0),
            decode_responses=True,
            encoding_errors="surrogateescape",
        )

    def kill(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None


@contextlib.contextmanager
def server(program: Path, variables: Mapping[str, str] | None = None, **options: str) -> Iterator[Server]:
    """A running private server."""
    with tempfile.TemporaryDirectory(prefix="jr") as folder:
        it = Server(program, Path(folder), variables=variables or {})
        try:
            it.start(**options)
            yield it
        finally:
            it.kill()


class SyncStore:
    """The store without an event loop: one FCALL a command, replies and refusals as of engine.store."""

    def __init__(self, client: redis.Redis) -> None:
        self.redis = client

    def load(self) -> None:
        """Loads the library."""
        self.redis.function_load(library().source, replace=True)

    def run(self, root: str, command: Command, now_ms: int = 0) -> dict[str, Any]:
        """Runs one command at a time in epoch ms, 0 for the server's clock."""
        call = "FCALL" if command.write else "FCALL_RO"
        try:
            reply: Any = self.redis.execute_command(  # type: ignore[no-untyped-call]
                call, command.function, 1, root, now_ms, *command.arguments()
            )
        except redis.OutOfMemoryError:
            raise translated(command, "OOM") from None
        except redis.ResponseError as error:
            raise translated(command, str(error)) from None
        return named(reply)


@dataclass
class Served:
    """An application that answers on http and https; ``loop`` runs it in a thread of its own."""

    url: str
    tls_url: str
    key: str
    ca: str
    store: Store
    worker: Worker | None
    loop: asyncio.AbstractEventLoop

    @property
    def connection_string(self) -> str:
        return f"endpoint={self.tls_url}/;accesskey={self.key}"


@contextlib.contextmanager
def served(
    url: str,
    *,
    works: bool = True,
    tenants: tuple[str, ...] = ("main",),
    room: int = ROOM,
    rate: Rate | None = None,
    **more: Any,
) -> Iterator[Served]:
    """Serves the application over a store, with a worker unless told otherwise; the key is KEY.

    ``room`` is how many events may wait for one listener, ``rate`` the limit of each tenant; ``more`` are
    settings.
    """
    ready: list[Served] = []
    failed: list[BaseException] = []
    is_up = threading.Event()
    loop = uvloop.new_event_loop()
    end = asyncio.Event()

    async def main(folder: Path) -> None:
        settings = Settings(
            tenants={name: Tenant(name, (KEY,), rate=rate) for name in tenants},
            redis_url=url,
            allow_outgoing=LOOPBACK,
            rule_timeout_ms=1_000,
            **more,
        )
        files = tls.development_files(folder, ())
        store = Store(Servers.of(url, durability=Durability.of(settings)))
        await store.load()
        health = Health(store, tenants)
        worker = worker_of(store, settings) if works else None
        working = loop.create_task(worker.run()) if worker else None
        sockets = [listen("127.0.0.1", 0) for _ in range(2)]
        feeds = Feeds(store, room=room)
        async with (
            serving(create_app(store, settings, health, feeds), sockets, files),
            contextlib.aclosing(feeds),
        ):
            port, tls_port = (one.getsockname()[1] for one in sockets)
            key = b64encode(KEY).decode()
            addresses = f"http://127.0.0.1:{port}", f"https://127.0.0.1:{tls_port}"
            ready.append(Served(*addresses, key, str(files.ca), store, worker, loop))
            is_up.set()
            await end.wait()
        if working is not None:
            working.cancel()
            await asyncio.gather(working, return_exceptions=True)
        await health.close()
        await store.close()
        for one in sockets:
            one.close()

    def run(folder: Path) -> None:
        try:
            loop.run_until_complete(main(folder))
        except BaseException as error:
            failed.append(error)
        finally:
            loop.close()
            is_up.set()

    with tempfile.TemporaryDirectory(prefix="jr") as folder:
        thread = threading.Thread(target=run, args=(Path(folder),), daemon=True)
        thread.start()
        is_up.wait(PATIENCE_SECONDS)
        if failed:
            raise failed[0]
        try:
            yield ready[0]
        finally:
            loop.call_soon_threadsafe(end.set)
            thread.join(PATIENCE_SECONDS)
        if failed:
            raise failed[0]


__all__ = ["KEY", "Served", "Server", "SyncStore", "eventually", "served", "server"]
