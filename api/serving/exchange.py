"""A request and its answer without the messages of ASGI, where nothing more is in them than both as a whole.

Most bodies are there when their request is, and most answers are made in one piece. Then they are handed over
as they are; for all else ``receive`` and ``send`` are there as ever.
"""

from __future__ import annotations

from collections.abc import Sequence

from uvicorn._types import ASGISendEvent
from uvicorn.protocols.http.httptools_impl import HEADER_VALUE_RE, STATUS_LINE, RequestResponseCycle

from api.errors import Header

EXCHANGE = "jobrouter.exchange"
"""The extension of the ASGI scope in which it stands."""


class Exchange(RequestResponseCycle):
    """One request on a connection."""

    def whole_body(self) -> bytes | None:
        """The body if all of it has come; it is not received again then. Else None."""
        if self.more_body or self.disconnected or self.waiting_for_100_continue:
            return None
        body = bytes(self.body)
        self.body = bytearray()
        self.message_event.clear()
        self.flow.resume_reading()
        return body

    async def send(self, message: ASGISendEvent) -> None:
        """Sends a message, unless the connection ends, of which we may not have been told yet."""
        if self.transport.is_closing() and not self.response_complete:
            self.disconnected = True
        await super().send(message)

    def answer(self, status: int, lines: bytes, headers: Sequence[Header], body: bytes) -> bool:
        """Writes a whole answer; False, and nothing is done, when it has to be sent by messages.

        ``lines`` are headers as they go over the wire, with the length of the body where there may be one.
        The values of further ones are checked, as those of messages are. None may end the connection.
        """
        if (
            self.response_started
            or self.disconnected
            or self.transport.is_closing()
            or self.flow.write_paused
            or self.scope["method"] == "HEAD"
        ):
            return False
        parts = [STATUS_LINE[status], lines]
        for name, value in (*self.default_headers, *headers):
            if HEADER_VALUE_RE.search(value):
                return False
            parts += (name, b": ", value, b"\r\n")
        parts += (b"\r\n" if self.keep_alive else b"connection: close\r\n\r\n", body)
        self.response_started = self.response_complete = True
        self.waiting_for_100_continue = False
        self.transport.write(b"".join(parts))
        self.message_event.set()
        if not self.keep_alive:
            self.transport.close()
        self.on_response()
        return True
