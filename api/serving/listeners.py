"""http and https for one application, on one event loop."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import socket
import ssl
from collections.abc import AsyncIterator, Iterator

import uvicorn
from starlette.types import ASGIApp

from api.serving.access_keys import BadOption
from api.serving.connections import Connections
from api.serving.handshakes import Handshakes
from api.serving.protocol import Configuration, Protocol
from api.serving.tls import Files

DRAIN_SECONDS = 4
"""How long requests under way may go on when the process is to end."""

KEEP_ALIVE_SECONDS = 75
"""Longer than the clients' pools keep idle connections: they, not we, close first."""

MOST_CONNECTIONS = 12_000
"""Where nothing else is said."""

_BACKLOG = 2048
_LOOK_SECONDS = 0.005


class Server(uvicorn.Server):
    """A server that leaves signals to the process, and handshakes to ``Handshakes``."""

    config: Configuration

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begins to serve on these sockets."""
        context = self.config.ssl
        if context is None or sockets is None:
            await super().startup(sockets)
            return
        await super().startup([])
        for listener in sockets:
            made = Handshakes(listener, context, self.config.open, self._protocol)
            self.servers.append(made)  # type: ignore[arg-type]

    def _protocol(self) -> Protocol:
        return Protocol(self.config, self.server_state, self.lifespan.state)

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Does nothing: uvicorn would raise the signal again before the store is closed."""
        yield


def listen(host: str, port: int) -> socket.socket:
    """A listening socket. Raises BadOption with what to do about it."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listener = socket.socket(family, kind, protocol)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
    except UnicodeError:
        raise BadOption(f"Cannot listen on {host} port {port}: this is no host.") from None
    except OSError as error:
        told = f"Cannot listen on {host} port {port}: {error.strerror or error}."
        if error.errno == errno.EADDRINUSE:
            told += " Another program does: end what listens there, or give another port."
        raise BadOption(told) from None
    listener.listen(_BACKLOG)
    return listener


@contextlib.asynccontextmanager
async def serving(
    app: ASGIApp,
    sockets: list[socket.socket],
    tls: Files | None = None,
    connections: Connections | None = None,
) -> AsyncIterator[asyncio.Task[None]]:
    """Serves http on the first socket, https on the second; at the end of the block requests may finish.

    ``connections`` bounds those of both together. Yields the task of the servers, which ends early only when
    they fail.
    """
    connections = connections or Connections(MOST_CONNECTIONS)
    servers = [server_of(app, kind, connections) for kind, _ in zip((None, tls), sockets, strict=False)]
    task = asyncio.create_task(_run(servers, sockets))
    try:
        while not task.done() and not all(server.started for server in servers):
            await asyncio.sleep(_LOOK_SECONDS)
        async with connections.watched():
            yield task
    finally:
        for server in servers:
            server.should_exit = True
        await asyncio.gather(task, return_exceptions=True)


def server_of(app: ASGIApp, tls: Files | None = None, connections: Connections | None = None) -> Server:
    """The server of an application; with a certificate it speaks https. Raises BadOption."""
    config = Configuration(
        connections or Connections(MOST_CONNECTIONS),
        app,
        loop="none",
        http=Protocol,
        ws="none",
        lifespan="off",
        log_config=None,
        log_level="warning",
        access_log=False,
        server_header=False,
        proxy_headers=False,
        backlog=_BACKLOG,
        timeout_graceful_shutdown=DRAIN_SECONDS,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        ssl_certfile=tls and str(tls.certificate),
        ssl_keyfile=tls and str(tls.key),
    )
    try:
        config.load()
    except (OSError, ssl.SSLError) as error:
        raise BadOption(f"The certificate or its key cannot be used: {error}.") from None
    return Server(config)


async def _run(servers: list[Server], sockets: list[socket.socket]) -> None:
    async with asyncio.TaskGroup() as group:
        for server, listener in zip(servers, sockets, strict=True):
            group.create_task(server.serve(sockets=[listener]))
