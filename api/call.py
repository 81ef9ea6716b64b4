"""One request of the interface: what handlers get, and what they answer."""

from __future__ import annotations

import hashlib
import ipaddress
import re
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Protocol

from starlette.types import Receive

from api.errors import BadRequest, Header
from api.streaming import Streaming
from api.wire.queries import LIMITED_VERSION
from engine.commands import Command
from engine.feed import Feeds

Answer = tuple[int, bytes, Sequence[Header]]
Handler = Callable[..., Awaitable[Answer | Streaming]]

REQUEST_ID = b"x-ms-client-request-id"
MAX_REQUEST_ID = 64

_HOST = re.compile(r"(?:\[([0-9A-Fa-f:.]+)\]|[A-Za-z0-9._-]{1,253})(?::([0-9]{1,5}))?")


class Runner(Protocol):
    """What handlers need of the store."""

    async def run(self, root: str, command: Command) -> Any:
        """Runs a command for the router at this root."""


class Call:
    """One authenticated request, with the router that it is for."""

    __slots__ = (
        "body",
        "clock",
        "feeds",
        "headers",
        "link_base",
        "op",
        "path",
        "query",
        "raw_query",
        "receive",
        "root",
        "scheme",
        "store",
        "version",
        "viewing",
    )

    def __init__(
        self,
        store: Runner,
        feeds: Feeds,
        root: str,
        clock: Callable[[], float],
        link_base: str,
        path: bytes,
        query: dict[str, str],
        raw_query: bytes,
        version: str,
        headers: dict[bytes, bytes],
        body: bytes,
        scheme: str,
        receive: Receive,
        viewing: bool = False,
    ):
        self.store = store
        self.feeds = feeds
        self.root = root
        self.clock = clock
        self.link_base = link_base
        self.path = path
        self.query = query
        self.raw_query = raw_query
        self.version = version
        self.headers = headers
        self.body = body
        self.scheme = scheme
        self.receive = receive
        self.viewing = viewing
        self.op = 0

    async def run(self, command: Command) -> Any:
        """Runs a command; ``op`` is then the number of the last write of this request."""
        reply = await self.store.run(self.root, command)
        if command.write and reply.get("outcome") != "exists":
            self.op = reply.get("op", 0)
        return reply

    def now_ms(self) -> int:
        """The time, in epoch milliseconds."""
        return int(self.clock() * 1000)

    @property
    def request_id(self) -> str:
        """The client's id of the request, the same in all repetitions; a long one is stored as its hash."""
        given = self.headers.get(REQUEST_ID, b"")
        return given.decode("latin-1") if len(given) <= MAX_REQUEST_ID else hashlib.sha256(given).hexdigest()

    @property
    def origin(self) -> str:
        """The URL under which others reach this router, without a slash at its end. Raises BadRequest."""
        if self.link_base:
            return self.link_base
        host = self.headers.get(b"host", b"").decode("latin-1")
        if not _is_host(host):
            raise BadRequest(
                "The header 'Host' is not valid: it must be a name or address, with or without a port, "
                "as others are told to reach this router there."
            )
        return f"{self.scheme}://{host}"

    @property
    def knows_limit(self) -> bool:
        """Whether the version of the interface that is spoken knows a worker's limit of concurrent offers."""
        return self.version != LIMITED_VERSION


def _is_host(text: str) -> bool:
    found = _HOST.fullmatch(text)
    if found is None or int(found[2] or 0) > 65535:
        return False
    try:
        return found[1] is None or bool(ipaddress.IPv6Address(found[1]))
    except ValueError:
        return False
