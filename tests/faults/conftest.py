"""Parts of a router as processes of their own, with and without notifications."""

from __future__ import annotations

import contextlib
from base64 import b64encode
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import support
from tests.runtime.processes import Process, jobrouter
from tests.support import eventually

KEY = b64encode(support.KEY).decode()


class Parts:
    """An API and a worker on a server of their own; each can be killed and started again."""

    def __init__(self, server: support.Server, notifications: str, outage: str) -> None:
        self.server = server
        self.key = KEY
        self._stack = contextlib.ExitStack()
        self._variables = {"JOBROUTER_NOTIFICATIONS": notifications, "JOBROUTER_OUTAGE": outage}
        self.worker = self._worker()
        self.api = self._api(0)
        self._ready()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def restart_api(self) -> None:
        """Starts an API where the last one was."""
        self.api = self._api(self.port)
        self._ready()

    def restart_worker(self) -> None:
        self.worker = self._worker()

    def close(self) -> None:
        self._stack.close()

    def _api(self, port: int) -> Process:
        options = ("--port", str(port), "--redis-url", self.server.url)
        keys = f"main={KEY}"
        return self._stack.enter_context(jobrouter("api", *options, JOBROUTER_ACCESS_KEYS=keys))

    def _worker(self) -> Process:
        return self._stack.enter_context(
            jobrouter("worker", "--redis-url", self.server.url, **self._variables)
        )

    def _ready(self) -> None:
        self.worker.wait_for("^working")
        self.api.wait_for("^ready")
        eventually(self.api.ready)
        self.port = self.api.port


@pytest.fixture(params=["yes", "no"], ids=["notified", "unnotified"])
def notifications(request: pytest.FixtureRequest) -> str:
    """Do keyspace notifications exist?"""
    return str(request.param)


@pytest.fixture
def outage() -> str:
    """How long nobody may sweep before it counts as an outage."""
    return "5s"


@pytest.fixture
def parts(server_program: Path, notifications: str, outage: str) -> Iterator[Parts]:
    """The parts, ready."""
    flags = "K$x" if notifications == "yes" else ""
    with support.server(server_program, notify_keyspace_events=flags) as server:
        with contextlib.closing(Parts(server, notifications, outage)) as it:
            yield it
        if notifications == "no":
            assert server_flags(server) == ""


def server_flags(server: support.Server) -> str:
    """The notifications that a server sends."""
    name = "notify-keyspace-events"
    with server.client() as client:
        return str(client.config_get(name)[name])
