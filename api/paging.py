"""Pages: their size, the opaque token that leads to the next one, and the link that carries it.

A token holds all that the list was asked for, so that a client needs nothing but the link. It is not signed:
what is in it is checked as if it had been given openly.
"""

from __future__ import annotations

import binascii
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Iterable

import msgspec

from api.call import Call
from api.errors import BadRequest
from api.wire import queries

DEFAULT_SIZE = 100
MAX_SIZE = 1000


class _Token(msgspec.Struct, array_like=True):
    path: str
    size: int
    after: int
    filters: dict[str, str]


class PageRequest:
    """Which page of which list."""

    __slots__ = ("after", "filters", "size")

    def __init__(self, call: Call, names: Iterable[str] = ()):
        """``names`` are the query parameters by which the list can be filtered."""
        token = call.query.get(queries.TOKEN)
        if token:
            read = _read(token, call.path.decode())
            self.filters, self.after, default = read.filters, read.after, read.size
        else:
            self.filters, self.after, default = (
                {n: call.query[n] for n in names if n in call.query},
                0,
                DEFAULT_SIZE,
            )
        self.size = queries.whole(call.query, queries.PAGE_SIZE, default, MAX_SIZE)

    def link(self, call: Call, after: int) -> str:
        """The link to the page that goes on after this; none when there is no more."""
        if not after:
            return ""
        path = call.path.decode()
        token = (
            urlsafe_b64encode(msgspec.json.encode(_Token(path, self.size, after, self.filters)))
            .decode()
            .rstrip("=")
        )
        return f"{call.link_base}{path}?{queries.TOKEN_SPELLED}={token}"


def _read(token: str, path: str) -> _Token:
    try:
        read = msgspec.json.decode(urlsafe_b64decode(token + "=" * (-len(token) % 4)), type=_Token)
    except (ValueError, binascii.Error, msgspec.MsgspecError):
        raise _wrong() from None
    if read.path != path or not 0 < read.after < 2**53 or not 1 <= read.size <= MAX_SIZE:
        raise _wrong()
    return read


def _wrong() -> BadRequest:
    return BadRequest(
        f"The query parameter '{queries.TOKEN_SPELLED}' is not valid: it is not of a link of this list."
    )
