"""Clients of redis-py for what is not a command of the library: subscriptions, scans, administration."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

import redis.asyncio
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from engine.address import Address


def administration(address: Address, *, seconds: float = 5.0) -> redis.asyncio.Redis:
    """A client that repeats nothing by itself and waits so many seconds for a connection or a reply."""
    return _client(address, seconds, decode_responses=True, encoding_errors="surrogateescape")


@contextlib.asynccontextmanager
async def reading(
    address: Address, name: str, *, connect_seconds: float = 5.0
) -> AsyncIterator[redis.asyncio.Redis]:
    """A client with one named connection for blocking XREADs, which it gives as bytes and as they come.

    Once it is connected it waits for a reply for ever: a timeout of redis-py's would, before Python 3.12,
    swallow a cancellation that comes while a command is written. Raises TimeoutError, OSError and RedisError.
    """
    client = _client(
        address,
        None,
        single_connection_client=True,
        client_name=name,
        protocol=2,
        socket_connect_timeout=connect_seconds,
    )
    # an entry may have several fields of one name, of which redis-py would keep the last
    client.set_response_callback("XREAD", _as_it_comes)
    try:
        # the server may take the connection and say nothing
        async with asyncio.timeout(connect_seconds):
            await client.initialize()
        yield client
    finally:
        await put_away(client)


async def put_away(client: redis.asyncio.Redis) -> None:
    """Closes a client. One whose server hangs is not waited for: over TLS that would have to agree."""
    with contextlib.suppress(RedisError):
        await client.aclose()


def connection_options(address: Address, seconds: float | None) -> dict[str, Any]:
    """How a client of redis-py signs in, waits so many seconds, and repeats nothing."""
    return {
        "db": address.database,
        "username": address.username or None,
        "password": address.password or None,
        "socket_timeout": seconds,
        "socket_connect_timeout": seconds,
        "retry": Retry(NoBackoff(), 0),
    }


def _as_it_comes(response: Any, **kwargs: Any) -> Any:
    return response


def _client(address: Address, seconds: float | None, **more: Any) -> redis.asyncio.Redis:
    options: dict[str, Any] = {**connection_options(address, seconds), **more}
    if address.path:
        return redis.asyncio.Redis(unix_socket_path=address.path, **options)
    return redis.asyncio.Redis(host=address.host, port=address.port, ssl=address.tls, **options)
