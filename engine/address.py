"""Where a server listens, and how to sign in."""

from __future__ import annotations

from urllib.parse import unquote, urlsplit

import msgspec


class Address(msgspec.Struct, frozen=True):
    """One server: host and port, with or without TLS, or the path of a unix socket."""

    host: str = ""
    port: int = 6379
    path: str = ""
    tls: bool = False
    username: str = ""
    password: str = ""
    database: int = 0

    @classmethod
    def parse(cls, url: str) -> Address:
        """An address of redis://, rediss:// or unix:// with the usual parts. Raises ValueError."""
        parts = urlsplit(url)
        if parts.scheme not in ("redis", "rediss", "unix", "valkey", "valkeys"):
            raise ValueError(
                f"not a Redis URL: {parts.scheme or url!r}; use redis://, rediss://, unix://, "
                "redis+cluster:// or redis+sentinel://"
            )
        user = unquote(parts.username or "")
        password = unquote(parts.password or "")
        if parts.scheme == "unix":
            query = dict(pair.partition("=")[::2] for pair in parts.query.split("&"))
            database = int(query.get("db") or 0)
            return cls(path=unquote(parts.path), username=user, password=password, database=database)
        return cls(
            host=parts.hostname or "localhost",
            port=parts.port or 6379,
            tls=parts.scheme in ("rediss", "valkeys"),
            username=user,
            password=password,
            database=int(parts.path.strip("/") or 0),
        )

    def at(self, host: str, port: int) -> Address:
        """Another server, where one signs in as here."""
        return msgspec.structs.replace(self, host=host, port=port)

    @property
    def shown(self) -> str:
        """What people may see of it."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return self.path or f"{host}:{self.port}"
