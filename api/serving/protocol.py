"""http as uvicorn speaks it, with bounds for heads, and errors below the application in our form."""

from __future__ import annotations

import asyncio
from typing import Any
from urllib.parse import unquote

import httptools
from uvicorn import Config
from uvicorn.protocols.http.flow_control import HIGH_WATER_LIMIT, FlowControl
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from api.errors import ApiError, BadRequest, HeadTooLarge, Overloaded, TooSlow, body
from api.serving.connections import Connection, Connections
from api.serving.exchange import EXCHANGE, Exchange
from api.streaming import ABORT

MAX_HEAD = 64 * 1024
"""Bytes of a request line with its headers that are waited for, beyond what comes with the first of them; and
bytes between two of a body, as of chunk extensions and trailers."""

MOST_FIELDS = 100
"""Headers of a request: each takes a hundred bytes of memory, however short it is."""

_FRAMING = (b"content-length", b"transfer-encoding")

MOST_PIPELINED = 16
PIECE = 4096
"""Requests that wait behind one that is answered, beyond what stands in the last so many bytes: what comes
then is kept as it is, since a request that is understood takes a hundred times the memory of a short one."""

HEAD_SECONDS = 30.0
"""How long a head may take to arrive, from the connection or from its first byte on."""


class Configuration(Config):
    """What all connections have in common; ``open`` are these connections."""

    def __init__(self, open: Connections, *given: Any, **options: Any) -> None:
        super().__init__(*given, **options)
        self.open = open


class _Flow(FlowControl):
    """Nothing is read while ``held``, whoever asks for it."""

    held = False

    def hold(self) -> None:
        self.held = True
        self.pause_reading()

    def release(self) -> None:
        self.held = False
        self.resume_reading()

    def resume_reading(self) -> None:
        if not self.held:
            super().resume_reading()


class _Trailers(list[tuple[bytes, bytes]]):
    """Where trailers go: nowhere, since they are no headers, and their number has no bound."""

    def append(self, trailer: tuple[bytes, bytes]) -> None:
        """Drops it."""


_TRAILERS = _Trailers()


class Protocol(HttpToolsProtocol):
    """One connection.

    The parser takes heads, chunk extensions and trailers without end: they are counted while they come in.
    """

    config: Configuration
    handshake: Connection | None = None
    """What it was before, which has its place until then."""
    _in_head = False
    _waited = 0
    """Bytes that have come since a head began or ended, or of a body."""
    _kept = b""
    """What has come and is not looked at yet."""
    _ahead = 0
    """Bytes that have come since the last answer while requests waited behind the one that is answered."""
    _wrong: ApiError | None = None
    """What the parser is ended with, where that is not its own finding."""
    _refused: ApiError | None = None
    """What is answered to all that comes after the requests under way."""
    _first: Exchange | None = None
    """The request that is answered while others wait behind it."""
    _patience: asyncio.TimerHandle | None = None
    _idle_since = 0.0
    _idle_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Waits for the first head, but not for ever."""
        super().connection_made(transport)
        self.flow: _Flow = _Flow(transport)
        self._abort = {"now": transport.abort}
        if self.handshake is not None:
            self.config.open.closed(self.handshake)
            self.handshake = None
        if self.config.open.opened(self):
            self._wait_for_head()
        else:
            self._refuse(Overloaded("Too many connections are open; try again in a moment."))

    def connection_lost(self, exc: Exception | None) -> None:
        """Waits no more."""
        self.config.open.closed(self)
        self._head_is_here()
        if self._idle_timer is not None:
            self._idle_timer.cancel()
            self._idle_timer = None
        if self._first is not None:
            # uvicorn tells the last one alone
            self._first.disconnected = True
            self._first.message_event.set()
        self.pipeline.clear()
        self._first, self._kept = None, b""
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Feeds the parser, in pieces if it is much, and ends the connection when a head grows on and on."""
        if self._kept or len(data) > PIECE or len(self.pipeline) >= MOST_PIPELINED:
            self._kept += data
            self._feed_kept()
        else:
            self._feed(data)

    def _feed_kept(self) -> None:
        kept, place = self._kept, 0
        # what is fed may end the connection
        while place < len(kept) and len(self.pipeline) < MOST_PIPELINED and not self.transport.is_closing():
            self._feed(kept[place : place + PIECE])
            place += PIECE
        if self.transport.is_closing():
            return
        self._kept = kept[place:]
        if self._kept:
            self.flow.hold()
        elif self.flow.held:
            self.flow.release()

    def _feed(self, data: bytes) -> None:
        if self._refused is not None:
            return
        # what follows the head or the body in this piece does not count: they begin to count anew
        self._waited += len(data)
        super().data_received(data)
        if self._waited > MAX_HEAD:
            self._refuse(self._too_much())
            return
        if self._in_head and len(self.headers) > MOST_FIELDS:
            self._refuse(_too_many_fields())
            return
        if self.pipeline:
            # it is read on, since a client that goes is noticed in no other way; but not without end
            self._ahead += len(data)
            if self._ahead > HIGH_WATER_LIMIT:
                self.flow.pause_reading()
        # most heads come in one piece: no timer is made for them. What comes after an answer, as empty lines
        # or the rest of a body, must end in a head too.
        if self._patience is None and (self._in_head or self._is_idle()):
            self._wait_for_head()

    def on_message_begin(self) -> None:
        """A head begins."""
        self._in_head, self._waited = True, 0
        self.url, self.headers, self.expect_100_continue = b"", [], False

    def _too_much(self) -> HeadTooLarge:
        if self._in_head or self.cycle is None or not self.cycle.more_body:
            return HeadTooLarge(f"The request's head has more than {MAX_HEAD} bytes.")
        return HeadTooLarge(
            f"More than {MAX_HEAD} bytes came that are no body: of chunk extensions or trailers."
        )

    def on_headers_complete(self) -> None:
        """A head has ended: its request is answered, after those before it. Raises ApiError."""
        parser, before = self.parser, self.cycle
        upgrades = self._check_head()
        self._in_head, self._waited = False, 0
        self._head_is_here()
        version, url = parser.get_http_version(), httptools.parse_url(self.url)
        path = url.path.decode("ascii")
        self.cycle = exchange = Exchange(
            scope=self.scope,
            transport=self.transport,
            flow=self.flow,
            logger=self.logger,
            access_logger=self.access_logger,
            access_log=False,
            default_headers=self.server_state.default_headers,
            message_event=asyncio.Event(),
            expect_100_continue=self.expect_100_continue,
            # after an upgrade the parser may drop what has come already
            keep_alive=version != "1.0" and not upgrades and parser.should_keep_alive(),
            on_response=self.on_response_complete,
        )
        scope: dict[str, Any] = {
            "type": "http",
            "asgi": {"version": self.asgi_version, "spec_version": "2.3"},
            "server": self.server,
            "client": self.client,
            "scheme": self.scheme,
            "root_path": "",
            "headers": self.headers,
            "state": {},
            "method": parser.get_method().decode("ascii"),
            "http_version": version,
            "path": unquote(path) if "%" in path else path,
            "raw_path": url.path,
            "query_string": url.query or b"",
            # a client that does not read must not hold its connection for ever
            "extensions": {ABORT: self._abort, EXCHANGE: exchange},
        }
        exchange.scope = self.scope = scope  # type: ignore[assignment]
        self.headers = _TRAILERS
        if before is None or before.response_complete:
            self._start_asgi_task(exchange, self.app)
        else:
            if not self.pipeline:
                self._first = before  # type: ignore[assignment]
            self.pipeline.appendleft((exchange, self.app))

    def _check_head(self) -> bool:
        """Whether it asks for another protocol. Raises HeadTooLarge, BadRequest."""
        upgrades: bool = self.parser.should_upgrade()
        if len(self.headers) > MOST_FIELDS:
            self._wrong = _too_many_fields()
        elif upgrades and any(name in _FRAMING and value != b"0" for name, value in self.headers):
            # the parser reads no body after this: it would take that for the next request
            self._wrong = BadRequest("A request with a body must not ask for another protocol (Upgrade).")
        if self._wrong is not None:
            raise self._wrong
        return upgrades

    def on_body(self, body: bytes) -> None:
        """A part of a body has come."""
        self._waited = 0
        if self.cycle.response_complete:
            return
        self.cycle.body += body
        if len(self.cycle.body) > HIGH_WATER_LIMIT:
            self.flow.pause_reading()
        self.cycle.message_event.set()

    def on_response_complete(self) -> None:
        """Begins with the next request, if it is there, else waits for it."""
        self.server_state.total_requests += 1
        if self.transport.is_closing():
            return
        self._ahead = 0
        self.flow.resume_reading()
        if self._kept and len(self.pipeline) <= MOST_PIPELINED:
            self.loop.call_soon(self._feed_kept)
        if self.pipeline:
            following, app = self.pipeline.pop()
            self._first = following if self.pipeline else None  # type: ignore[assignment]
            self._start_asgi_task(following, app)
            return
        self._first = None
        if self._refused is not None:
            self._refuse(self._refused)
            return
        # one timer for many requests: to make and to cancel one for each would cost more than to parse it
        self._idle_since = self.loop.time()
        if self._idle_timer is None:
            self._idle_timer = self.loop.call_later(self.timeout_keep_alive, self._end_if_idle)

    def _end_if_idle(self) -> None:
        self._idle_timer = None
        if self.transport.is_closing():
            return
        if self._patience is not None or not self._is_idle():
            # a head has its own bound; after an answer this begins anew
            return
        rest = self._idle_since + self.timeout_keep_alive - self.loop.time()
        if rest <= 0:
            self.transport.close()
        else:
            self._idle_timer = self.loop.call_later(rest, self._end_if_idle)

    def _unsupported_upgrade_warning(self) -> None:
        """Says nothing: a request that asks for another protocol as well is answered like any other."""

    def send_400_response(self, msg: str) -> None:
        """Answers what is no http."""
        self._refuse(self._wrong or BadRequest(msg))

    @property
    def asked(self) -> bool:
        """Whether there has been a request at all."""
        return self.cycle is not None

    @property
    def idle(self) -> bool:
        """Whether there is none under way."""
        return self._is_idle()

    @property
    def unread(self) -> int:
        """Bytes that its client must read before anything goes on.

        An answer that is being made has its own bounds, until there is no room for it or the connection ends.
        """
        waits = self._is_idle() or self.flow.write_paused or self.transport.is_closing()
        return self.transport.get_write_buffer_size() if waits else 0

    def abort(self) -> None:
        """Ends it at once."""
        self.transport.abort()

    def _is_idle(self) -> bool:
        return self.cycle is None or self.cycle.response_complete

    def _wait_for_head(self) -> None:
        if not self.transport.is_closing():
            self._patience = self.loop.call_later(HEAD_SECONDS, self._no_head)

    def _head_is_here(self) -> None:
        if self._patience is not None:
            self._patience.cancel()
            self._patience = None

    def _no_head(self) -> None:
        self._patience = None
        if self.flow.read_paused:
            # it is we who do not read: requests before this one are being answered
            self._wait_for_head()
        elif self._in_head and self._is_idle() and not self.transport.get_write_buffer_size():
            self._refuse(TooSlow(f"The request's head did not come within {HEAD_SECONDS:g} seconds."))
        else:
            self.transport.abort()

    def _refuse(self, error: ApiError) -> None:
        if not self._is_idle() and not self.cycle.more_body:
            # who reads this first would take it for the answer to what was asked before
            self._refused = error
            return
        if self._first is not None or (not self._is_idle() and self.cycle.response_started):
            # the last request is broken, and those before it have no answer yet, or it has half of one
            self.transport.abort()
            return
        content = body(error, "")
        head = (
            STATUS_LINE[error.status],
            b"content-type: application/json\r\n",
            b"content-length: %d\r\n" % len(content),
            *(b"%b: %b\r\n" % header for header in error.headers if header[0] != b"connection"),
            b"connection: close\r\n\r\n",
        )
        self.transport.write(b"".join((*head, content)))
        self.transport.close()


def _too_many_fields() -> HeadTooLarge:
    return HeadTooLarge(f"The request has more than {MOST_FIELDS} headers.")
