"""Clients of redis-py for what is not a command of the library: subscriptions, scans, administration."""

from __future__ import annotations

from typing import Any

import redis.asyncio
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from engine.address import Address


def administration(url: str, *, seconds: float = 5.0) -> redis.asyncio.Redis:
    """A client that repeats nothing by itself and waits so many seconds for a connection or a reply."""
    address = Address.parse(url)
    options: dict[str, Any] = {
        "db": address.database,
        "username": address.username or None,
        "password": address.password or None,
        "socket_timeout": seconds,
        "socket_connect_timeout": seconds,
        "retry": Retry(NoBackoff(), 0),
        "decode_responses": True,
        "encoding_errors": "surrogateescape",
    }
    if address.path:
        return redis.asyncio.Redis(unix_socket_path=address.path, **options)
    return redis.asyncio.Redis(host=address.host, port=address.port, ssl=address.tls, **options)
