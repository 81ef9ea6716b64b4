"""The HTTP client for URLs that others have given: guarded, bounded, and silent about what it sends."""

from __future__ import annotations

import asyncio
import os
import ssl
from collections.abc import Awaitable, Callable, Mapping
from types import TracebackType

import aiohttp
import msgspec
from yarl import URL

from engine.outgoing.endpoints import Endpoints
from engine.outgoing.errors import OutgoingFailed
from engine.outgoing.guard import AddressRefused, Allowed, target
from engine.outgoing.names import Names

_SHORT = 65_536
_SHORT_SECONDS = 1.0
_HEADERS = {"User-Agent": "jobrouter", "Accept": "application/json", "Accept-Encoding": "identity"}


class Limits(msgspec.Struct, frozen=True):
    """Bounds of a client: for one call, for all connections together, for the calls to one host and port.

    ``waiting`` calls to an endpoint may stand in line for a place, each for ``wait_seconds`` at most.
    """

    timeout_seconds: float = 5.0
    max_answer: int = 262_144
    connections: int = 512
    per_endpoint: int = 16
    waiting: int = 1_000
    wait_seconds: float = 10.0


class Answer(msgspec.Struct, frozen=True):
    """What a server has answered, its body only with a status of 2xx. It may hold a token: repr hides it.

    ``headers``, by lower-case name, only where they were asked for.
    """

    status: int
    body: bytes
    headers: Mapping[str, str] = {}

    def __repr__(self) -> str:
        return f"Answer({self.status}, {len(self.body)} bytes)"


class Client:
    """To be made inside a running loop; ``async with`` closes it.

    Redirects are never followed; proxies, .netrc and cookies are never used. ``tls`` None trusts the
    authorities of the system.
    """

    def __init__(
        self,
        allowed: Allowed | None = None,
        limits: Limits | None = None,
        *,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._allowed = allowed or Allowed()
        self._limits = limits or Limits()
        self._endpoints = Endpoints(
            self._limits.per_endpoint, self._limits.waiting, self._limits.wait_seconds
        )
        tls = tls or ssl.create_default_context()
        names = Names()
        # hosts that the operator allows by name have a pool of their own, as nothing is checked there
        self._guarded = self._session(
            aiohttp.TCPConnector(
                limit=self._limits.connections,
                ssl=tls,
                resolver=names,
                socket_factory=self._allowed.socket,
            )
        )
        self._trusted = self._session(
            aiohttp.TCPConnector(limit=self._limits.connections, ssl=tls, resolver=names)
        )

    @staticmethod
    def _session(connector: aiohttp.TCPConnector) -> aiohttp.ClientSession:
        return aiohttp.ClientSession(
            connector=connector,
            timeout=aiohttp.ClientTimeout(),  # none: one timeout stands around all
            cookie_jar=aiohttp.DummyCookieJar(),
            trust_env=False,
            auto_decompress=False,
            headers=_HEADERS,
        )

    async def __aenter__(self) -> Client:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Ends all connections."""
        await self._guarded.close()
        await self._trusted.close()

    async def post(self, url: str, body: bytes, headers: Mapping[str, str]) -> Answer:
        """POSTs a body and reads the answer, whatever its status.

        Raises OutgoingFailed without an answer in time and bounds, EndpointBusy before anything is sent.
        """
        return await self._guarded_call(url, headers, lambda where: self._exchange(where, body, headers))

    async def options(self, url: str, headers: Mapping[str, str]) -> Answer:
        """Asks by OPTIONS: the status and the headers of the answer. Raises as ``post`` does."""
        return await self._guarded_call(url, headers, lambda where: self._ask(where, headers))

    async def notify(self, url: str, body: bytes, headers: Mapping[str, str]) -> int:
        """POSTs a body and gives the status of the answer; what else it says does not matter.

        Raises as ``post`` does, but not for an answer that is too long or never ends.
        """
        return (
            await self._guarded_call(url, headers, lambda where: self._status(where, body, headers))
        ).status

    async def _guarded_call(
        self, url: str, headers: Mapping[str, str], exchange: Callable[[URL], Awaitable[Answer]]
    ) -> Answer:
        where = target(url)
        _check(headers)
        failure: OutgoingFailed
        async with self._endpoints.place(f"{where.host_subcomponent}:{where.port}"):
            try:
                async with asyncio.timeout(self._limits.timeout_seconds):
                    return await exchange(where)
            except OutgoingFailed as error:
                failure = error
            except TimeoutError:
                seconds = self._limits.timeout_seconds
                failure = OutgoingFailed(f"no answer within {seconds:g} s", again=True, late=True)
            except (aiohttp.ClientError, OSError, UnicodeError) as error:
                failure = _failure(error)
        # outside of the handlers: the library's exception, which may hold URL and headers, is not its context
        raise failure

    def _session_for(self, where: URL) -> aiohttp.ClientSession:
        return self._trusted if self._allowed.names(where) else self._guarded

    async def _ask(self, where: URL, headers: Mapping[str, str]) -> Answer:
        async with self._session_for(where).options(
            where, headers=headers, allow_redirects=False
        ) as response:
            # the body is not read: that costs the connection, which is not needed any more
            told = {name.lower(): value for name, value in response.headers.items()}
            response.close()
            return Answer(response.status, b"", told)

    async def _status(self, where: URL, body: bytes, headers: Mapping[str, str]) -> Answer:
        async with self._session_for(where).post(
            where, data=body, headers=headers, allow_redirects=False
        ) as response:
            # a short answer is read, so that its connection serves again; any other costs the connection
            if (response.content_length or 0) > _SHORT:
                response.close()
            try:
                async with asyncio.timeout(_SHORT_SECONDS):
                    await response.content.read(_SHORT)
            except (TimeoutError, aiohttp.ClientError, OSError):
                pass
            if not response.content.at_eof():
                response.close()
            return Answer(response.status, b"")

    async def _exchange(self, where: URL, body: bytes, headers: Mapping[str, str]) -> Answer:
        async with self._session_for(where).post(
            where, data=body, headers=headers, allow_redirects=False
        ) as response:
            if not 200 <= response.status < 300:
                return Answer(response.status, b"")
            if response.headers.get("Content-Encoding", "identity").lower() != "identity":
                raise OutgoingFailed("the answer is compressed, which was not asked for")
            return Answer(response.status, await self._read(response))

    async def _read(self, response: aiohttp.ClientResponse) -> bytes:
        most = self._limits.max_answer
        if (response.content_length or 0) > most:
            raise OutgoingFailed(f"the answer is longer than {most} bytes")
        body = bytearray()
        async for piece in response.content.iter_any():
            body += piece
            if len(body) > most:
                raise OutgoingFailed(f"the answer is longer than {most} bytes")
        return bytes(body)


def _check(headers: Mapping[str, str]) -> None:
    for name, value in headers.items():
        if not (value.isascii() and value.isprintable()):
            raise OutgoingFailed(f"the value for the header {name} holds a character that no header may hold")


def _failure(error: Exception) -> OutgoingFailed:
    """A failure of the library in our words: its own texts may hold the URL."""
    match error:
        case aiohttp.ClientConnectorDNSError():
            return OutgoingFailed("the host has no address", again=True)
        case aiohttp.ClientConnectorCertificateError():
            return OutgoingFailed("the certificate is not trusted or not for this host")
        case aiohttp.ClientConnectorSSLError():
            return OutgoingFailed("no TLS connection", again=True)
        case aiohttp.ClientConnectorError() if isinstance(error.os_error, AddressRefused):
            return OutgoingFailed("the host has an address that is not allowed (see --allow-outgoing)")
        case aiohttp.ClientConnectorError():
            number = error.os_error.errno
            return OutgoingFailed(f"no connection{f' ({os.strerror(number)})' if number else ''}", again=True)
        case aiohttp.ClientResponseError() | aiohttp.ClientPayloadError():
            return OutgoingFailed("the answer is cut off or not HTTP", again=True)
        case aiohttp.InvalidURL() | UnicodeError():
            return OutgoingFailed("the URL is not valid")
    return OutgoingFailed("the connection was lost", again=True)
