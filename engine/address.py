"""Where a server listens, and how to sign in."""

from __future__ import annotations

from urllib.parse import SplitResult, unquote, urlsplit

import msgspec


def number_of(database: str) -> int:
    """The number of a database, 0 where none is told. Raises ValueError."""
    if not database:
        return 0
    if not (database.isascii() and database.isdigit() and len(database) < 10):
        raise ValueError("the database is not a number")
    return int(database)


def _port(parts: SplitResult) -> int | None:
    try:
        return parts.port
    except ValueError:
        # what stands there is not shown: it is a password in which a slash is not escaped, at times
        raise ValueError(
            "the port is not a number from 0 to 65535 (in a password, / is written as %2F, # as %23)"
        ) from None


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
            # the rest is not shown: it may be a password
            raise ValueError(
                f"not a Redis URL{f': {parts.scheme}' if parts.scheme else ''}; use redis://, rediss://, "
                "unix://, redis+cluster:// or redis+sentinel://"
            )
        user = unquote(parts.username or "")
        password = unquote(parts.password or "")
        if parts.scheme == "unix":
            query = dict(pair.partition("=")[::2] for pair in parts.query.split("&") if pair)
            database = number_of(query.pop("db", ""))
            if query:
                raise ValueError("only db may follow the question mark")
            return cls(path=unquote(parts.path), username=user, password=password, database=database)
        if parts.query:
            raise ValueError("nothing may follow a question mark; a database is told as redis://host:port/1")
        return cls(
            host=parts.hostname or "localhost",
            port=_port(parts) or 6379,
            tls=parts.scheme in ("rediss", "valkeys"),
            username=user,
            password=password,
            database=number_of(parts.path.strip("/")),
        )

    def at(self, host: str, port: int) -> Address:
        """Another server, where one signs in as here."""
        return msgspec.structs.replace(self, host=host, port=port)

    @property
    def shown(self) -> str:
        """What people may see of it."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return self.path or f"{host}:{self.port}"
