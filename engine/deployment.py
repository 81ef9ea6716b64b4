"""What --redis-url names: one server, a cluster, or a primary that Sentinel looks after."""

from __future__ import annotations

from typing import Literal
from urllib.parse import parse_qsl, unquote, urlsplit

import msgspec

from engine.address import Address, number_of

_SCHEMES: dict[str, tuple[Literal["cluster", "sentinel"], bool, int]] = {
    "redis+cluster": ("cluster", False, 6379),
    "rediss+cluster": ("cluster", True, 6379),
    "valkey+cluster": ("cluster", False, 6379),
    "valkeys+cluster": ("cluster", True, 6379),
    "redis+sentinel": ("sentinel", False, 26379),
    "rediss+sentinel": ("sentinel", True, 26379),
    "valkey+sentinel": ("sentinel", False, 26379),
    "valkeys+sentinel": ("sentinel", True, 26379),
}


class Deployment(msgspec.Struct, frozen=True):
    """Servers, and how to sign in.

    ``asked``: the server itself, some nodes of the cluster, or the Sentinels. ``data`` is how one signs in to
    the servers that hold the data, wherever they are; ``service`` is the name the Sentinels know them by.
    """

    kind: Literal["server", "cluster", "sentinel"]
    asked: tuple[Address, ...]
    data: Address
    service: str = ""

    @classmethod
    def parse(cls, url: str) -> Deployment:
        """What a URL names. Raises ValueError; its text shows no password.

        Beside those of one server: ``redis+cluster://host:port,host:port`` and
        ``redis+sentinel://host:port,host:port/service``, with rediss+ for TLS.
        """
        scheme = url.partition(":")[0].lower()
        if scheme not in _SCHEMES:
            address = Address.parse(url)
            return cls("server", (address,), address)
        kind, tls, port = _SCHEMES[scheme]
        parts = urlsplit(url)
        credentials, _, hosts = parts.netloc.rpartition("@")
        user, _, password = credentials.partition(":")
        words = dict(parse_qsl(parts.query, keep_blank_values=True))
        path = [unquote(part) for part in parts.path.strip("/").split("/") if part]
        data = Address(tls=tls, username=unquote(user), password=unquote(password))
        places = [_place(text, port) for text in hosts.split(",") if text.strip()]
        if not places:
            raise ValueError("it names no host")
        if kind == "cluster":
            if path not in ([], ["0"]) or words:
                raise ValueError("a cluster has one database, and its URL ends after the hosts")
            return cls(kind, tuple(data.at(*place) for place in places), data)
        if not 1 <= len(path) <= 2:
            raise ValueError("the name of the service is missing: redis+sentinel://host:port/service")
        sentinel = Address(
            tls=tls,
            username=words.pop("sentinel_username", ""),
            password=words.pop("sentinel_password", ""),
        )
        if words:
            raise ValueError("only sentinel_username and sentinel_password may follow the question mark")
        data = msgspec.structs.replace(data, database=number_of(path[1]) if len(path) == 2 else 0)
        return cls(kind, tuple(sentinel.at(*place) for place in places), data, path[0])


def _place(text: str, port: int) -> tuple[str, int]:
    parts = urlsplit(f"//{text.strip()}")
    if not parts.hostname:
        raise ValueError("a host is missing between two commas")
    try:
        return parts.hostname, parts.port or port
    except ValueError:
        raise ValueError("the port of a host is not a number from 1 to 65535") from None
