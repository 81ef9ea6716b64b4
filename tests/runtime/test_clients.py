"""Clients for what is no command of the library, of servers that hang."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
import threading
from collections.abc import Iterator
from pathlib import Path

import hiredis
import pytest

from api.serving import tls
from engine.address import Address
from engine.clients import administration, reading
from engine.deployment import Deployment
from engine.health import Health
from engine.store import Store
from engine.topology import Cluster
from tests.runtime.test_connection import run, scripted


def test_a_server_that_lets_nobody_in_is_given_up(tmp_path: Path) -> None:
    async def work() -> None:
        async with scripted(tmp_path / "s", lambda _: None) as server:
            with pytest.raises(TimeoutError):
                async with reading(Address.parse(f"unix://{tmp_path / 's'}"), "n", connect_seconds=0.05):
                    pass
            # the server sees that nobody is there any more
            await asyncio.wait(server.talks)

    run(work)


@contextlib.contextmanager
def hanging(folder: Path) -> Iterator[Address]:
    """A server with TLS that answers one PING, and then nothing any more, not even that a connection ends."""
    files = tls.development_files(folder, ("localhost",))
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(files.certificate, files.key)
    with socket.create_server(("127.0.0.1", 0)) as listening, contextlib.ExitStack() as held:

        def answer() -> None:
            wire = held.enter_context(context.wrap_socket(listening.accept()[0], server_side=True))
            parser = hiredis.Reader(encoding="utf-8", notEnoughData=Ellipsis)
            while True:
                parser.feed(wire.recv(1 << 16))
                while (command := parser.gets()) is not Ellipsis:
                    if command[0] == "PING":
                        wire.sendall(b"+PONG\r\n")
                        return
                    wire.sendall(b"%1\r\n+proto\r\n:3\r\n" if command[0] == "HELLO" else b"+OK\r\n")

        thread = threading.Thread(target=answer, daemon=True)
        thread.start()
        yield Address.parse(f"rediss://localhost:{listening.getsockname()[1]}")
        thread.join(5)


def test_a_server_that_hangs_when_it_is_not_needed_any_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Over TLS it would have to agree to the end of the connection."""
    monkeypatch.setenv("SSL_CERT_FILE", str(tls.development_files(tmp_path, ("localhost",)).ca))

    async def readiness() -> None:
        with hanging(tmp_path) as address:
            store = Store.at("unix:///nowhere")
            health = Health(store, [])
            health._clients[address] = client = administration(address, seconds=1.0)
            await client.ping()
            ready, _ = await health()
            assert ready
            await store.close()

    async def topology() -> None:
        with hanging(tmp_path) as address:
            it = Cluster(Deployment.parse(f"redis+cluster://localhost:{address.port}"))
            it._clients[address] = client = administration(address, seconds=1.0)
            await client.ping()
            await it.close()

    run(readiness)
    run(topology)
