"""http as uvicorn speaks it, with a bound for heads, and errors below the application in our form."""

from __future__ import annotations

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from api.errors import ApiError, BadRequest, HeadTooLarge, body
from api.streaming import ABORT

MAX_HEAD = 64 * 1024
"""Bytes of a request line with its headers that are waited for, beyond what comes with the first of them."""


class Protocol(HttpToolsProtocol):
    """One connection. The parser takes heads without end: they are counted here, while they come in."""

    _in_head = False
    _waited = 0

    def data_received(self, data: bytes) -> None:
        """Feeds the parser, and ends the connection when a head grows on and on."""
        if self._in_head:
            self._waited += len(data)
            if self._waited > MAX_HEAD:
                self._refuse(HeadTooLarge(f"The request's head has more than {MAX_HEAD} bytes."))
                return
        super().data_received(data)

    def on_message_begin(self) -> None:
        """A head begins."""
        self._in_head, self._waited = True, 0
        super().on_message_begin()
        # a client that does not read must not hold its connection for ever
        self.scope["extensions"] = {ABORT: {"now": self.transport.abort}}

    def on_headers_complete(self) -> None:
        """A head has ended."""
        self._in_head = False
        super().on_headers_complete()

    def send_400_response(self, msg: str) -> None:
        """Answers what is no http."""
        self._refuse(BadRequest(msg))

    def _refuse(self, error: ApiError) -> None:
        content = body(error, "")
        head = (
            STATUS_LINE[error.status],
            b"content-type: application/json\r\n",
            b"content-length: %d\r\n" % len(content),
            b"connection: close\r\n\r\n",
        )
        self.transport.write(b"".join((*head, content)))
        self.transport.close()
