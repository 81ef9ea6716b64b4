"""An application over a scripted store, and a client that signs: HTTP without sockets or Redis."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any

import pytest

from api.app import create_app
from engine.commands import Command
from engine.errors import Refused
from engine.feed import Feeds
from engine.settings import Settings, Tenant
from tests import support
from tests.signed import PREVIEW, Caller
from tests.signed import sign as signed_headers

KEY = support.KEY
SECOND_KEY = b"second-key"
VIEW_KEY = "a-viewing-key-of-this-router"
NOW = 1_700_000_000.0
GA = "2023-11-01"

Reply = Any


class FakeStore:
    """Answers commands as told, and remembers them."""

    def __init__(self) -> None:
        self.commands: list[Command] = []
        self.roots: list[str] = []
        self._replies: dict[type[Command], list[Reply]] = {}

    def on(self, command: type[Command], *replies: Reply) -> None:
        """The replies to a kind of command, in turn; the last stays. It may be an exception or a function."""
        self._replies[command] = list(replies)

    async def run(self, root: str, command: Command) -> Any:
        self.roots.append(root)
        self.commands.append(command)
        replies = self._replies.get(type(command))
        if not replies:
            raise Refused("NOT_FOUND", "The item was not found.")
        reply = replies.pop(0) if len(replies) > 1 else replies[0]
        if isinstance(reply, Exception):
            raise reply
        return reply(command) if callable(reply) else reply


@dataclass
class Response:
    """What the application answered."""

    status: int
    headers: dict[str, str]
    body: bytes
    raw_headers: list[tuple[bytes, bytes]] = field(default_factory=list)

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def error(self) -> dict[str, Any]:
        """The error, which must stand under both keys and in the header."""
        both = self.json
        assert both["error"] == both["communicationError"]
        assert self.headers["x-ms-error-code"] == both["error"]["code"]
        found: dict[str, Any] = both["error"]
        return found


def sign(
    method: str,
    target: str,
    body: bytes = b"",
    host: str = "localhost",
    key: bytes = KEY,
    now: float = NOW,
    signed_target: str | None = None,
) -> dict[str, str]:
    """The headers that an official client would add at a time that is always the same."""
    return signed_headers(method, target, body, host=host, key=key, now=now, signed_target=signed_target)


class Client:
    """Calls an ASGI application."""

    def __init__(self, app: Any):
        self.app = app

    def send(
        self,
        method: str,
        target: str,
        body: bytes,
        headers: Mapping[str, str] | list[tuple[str, str]],
        chunks: int = 1,
        client: tuple[str, int] = ("127.0.0.1", 1),
    ) -> Response:
        """Sends a request exactly as given."""
        path, _, query = target.partition("?")
        pairs = list(headers.items()) if isinstance(headers, Mapping) else headers
        scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": method,
            "scheme": "http",
            "path": path,
            "raw_path": path.encode(),
            "query_string": query.encode(),
            "root_path": "",
            "headers": [(name.lower().encode(), value.encode("latin-1")) for name, value in pairs],
            "client": client,
            "server": ("localhost", 80),
        }
        size = max(1, -(-len(body) // chunks))
        parts = [body[i : i + size] for i in range(0, len(body), size)] or [b""]
        incoming = [
            {"type": "http.request", "body": part, "more_body": i < len(parts) - 1}
            for i, part in enumerate(parts)
        ]
        sent: list[Any] = []

        async def receive() -> Any:
            if not incoming:
                await asyncio.Event().wait()
            return incoming.pop(0)

        async def deliver(message: Any) -> None:
            sent.append(message)

        asyncio.run(self.app(scope, receive, deliver))
        start = sent[0]
        return Response(
            start["status"],
            {name.decode().lower(): value.decode("latin-1") for name, value in start["headers"]},
            b"".join(message.get("body", b"") for message in sent[1:]),
            start["headers"],
        )

    def __call__(
        self,
        method: str,
        path: str,
        body: Any = None,
        version: str | None = PREVIEW,
        headers: Mapping[str, str] | None = None,
        **signing: Any,
    ) -> Response:
        """Sends a signed request; the version of the interface is added to the path's query."""
        raw = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
        target = path if version is None else f"{path}{'&' if '?' in path else '?'}api-version={version}"
        return self.send(method, target, raw, {**sign(method, target, raw, **signing), **(headers or {})})


def make_settings(**changes: Any) -> Settings:
    """Settings of a router 'main', and of a second one with a host of its own."""
    tenants = {
        "main": Tenant(name="main", keys=(KEY, SECOND_KEY), hosts=(), view_keys=(VIEW_KEY,)),
        "other": Tenant(name="other", keys=(b"other-key",), hosts=("router.example.com",)),
    }
    return Settings(**{"tenants": tenants, **changes})


def make_app(store: Any, settings: Settings, health: Any, **more: Any) -> Any:
    """An application without live events."""
    return create_app(store, settings, health, Feeds(store), **more)


async def healthy() -> tuple[bool, dict[str, Any]]:
    return True, {"warnings": []}


@pytest.fixture
def store() -> FakeStore:
    return FakeStore()


@pytest.fixture
def make_client(store: FakeStore) -> Callable[..., Client]:
    """Makes a client with other settings, clock or health."""

    def make(now: float = NOW, health: Any = healthy, **settings: Any) -> Client:
        return Client(make_app(store, make_settings(**settings), health, clock=lambda: now))

    return make


@pytest.fixture
def client(make_client: Callable[..., Client]) -> Client:
    return make_client()


@pytest.fixture
def signed() -> Callable[..., dict[str, str]]:
    """Makes the headers of a signature."""
    return sign


def record(kind: str, **fields: Any) -> dict[str, Any]:
    """A record as the store replies with it, with the least that it has."""
    least: dict[str, dict[str, Any]] = {
        "job": {"status": "queued", "channel": "voice", "queue": "q"},
        "worker": {"state": "inactive", "capacity": "1"},
        "queue": {"distribution": "dp"},
        "distribution": {
            "document": '{"offerExpiresAfterSeconds":60,"mode":{"kind":"longestIdle","minConcurrentOffers":1,'
            '"maxConcurrentOffers":1,"bypassSelectors":false}}'
        },
        "classification": {"document": '{"queueSelectorAttachments":[],"workerSelectorAttachments":[]}'},
        "exception": {"document": '{"exceptionRules":[]}'},
        "subscription": {
            "document": '{"url":"https://a.example.com/hook"}',
            "secret": '{"url":"https://a.example.com/hook"}',
            "status": "validating",
            "cursor": "5",
        },
    }
    given = {name: value if isinstance(value, int) else str(value) for name, value in fields.items()}
    return {
        "id": "x",
        "doc": "1",
        "rev": "3",
        "created": "7",
        "modified_at": "1700000000500",
        **least[kind],
        **given,
    }


@pytest.fixture
def make_record() -> Callable[..., dict[str, Any]]:
    return record


# ---- a router that is really served -------------------------------------------------------------------


@pytest.fixture
def call(served: support.Served) -> Iterator[Caller]:
    """Sends signed requests to the served router, over one connection."""
    with closing(Caller(served.url, served.key)) as it:
        yield it
