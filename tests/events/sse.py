"""A strict reader of server-sent events: what it does not expect, fails."""

from __future__ import annotations

import http.client
import json
import re
import socket
from base64 import b64decode
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from tests.signed import sign
from tests.support import PATIENCE_SECONDS

PATH = "/ext/v1/events/stream"


@dataclass(frozen=True)
class Shown:
    """An event as a client gets it."""

    id: str
    type: str
    data: str

    @property
    def json(self) -> Any:
        return json.loads(self.data)


class Stream:
    """One connection to a stream, as the standard describes clients of it."""

    def __init__(
        self, url: str, key: str, query: str = "", last_id: str = "", receive_bytes: int = 0, path: str = PATH
    ) -> None:
        host = urlsplit(url).netloc
        target = f"{path}?{query}" if query else path
        headers = sign("GET", target, b"", host=host, key=b64decode(key))
        if last_id:
            headers["Last-Event-ID"] = last_id
        self._connection = http.client.HTTPConnection(host, timeout=PATIENCE_SECONDS)
        if receive_bytes:
            # before it connects, so that the other side knows of it
            self._connection.sock = socket.socket()
            self._connection.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)
            self._connection.sock.settimeout(PATIENCE_SECONDS)
            name, _, port = host.partition(":")
            self._connection.sock.connect((name, int(port)))
        self._connection.request("GET", target, headers=headers)
        self.response = self._connection.getresponse()
        self.status = self.response.status
        self.last_id = last_id
        self.retry_ms = 0
        self.comments: list[str] = []
        self.whole = False
        if self.status == 200:
            assert self.response.headers["content-type"] == "text/event-stream; charset=utf-8"
            self.opening = self.block()

    @property
    def error(self) -> Any:
        """The error of a refusal."""
        return json.loads(self.response.read())["error"]

    def lines(self) -> Iterator[str]:
        while raw := self.response.readline():
            assert raw.endswith(b"\n"), raw
            assert b"\r" not in raw
            yield raw[:-1].decode()

    def block(self) -> dict[str, str]:
        """The fields of the next block; a comment by itself is a field without a name. Empty at the end."""
        fields: dict[str, str] = {}
        for line in self.lines():
            if line == "":
                if fields:
                    self._note(fields)
                    return fields
                continue
            name, colon, value = line.partition(":")
            assert colon, line
            value = value.removeprefix(" ")
            if not name:
                assert not fields, "a comment within a block"
                self.comments.append(value)
                return {"": value}
            assert name in ("id", "event", "data", "retry"), line
            assert name not in fields, line
            fields[name] = value
        assert not fields, "the stream ended within a block"
        self.whole = True
        return {}

    def _note(self, fields: dict[str, str]) -> None:
        self.last_id = fields.get("id", self.last_id)
        assert re.fullmatch(r"\d+(-0|\.\d+)", self.last_id), self.last_id
        if "retry" in fields:
            self.retry_ms = int(fields["retry"])
        assert ("data" in fields) == ("event" in fields)

    def __iter__(self) -> Iterator[Shown]:
        """The events, up to the end of the stream."""
        while block := self.block():
            if "data" in block:
                yield Shown(block["id"], block["event"], block["data"])

    def take(self, count: int) -> list[Shown]:
        """The next events."""
        events = iter(self)
        return [next(events) for _ in range(count)]

    def until(self, event_id: str) -> list[Shown]:
        """The next events, up to the one of this id."""
        found = []
        for event in self:
            found.append(event)
            if event.id == event_id:
                return found
        raise AssertionError(f"the stream ended before {event_id}: {self.comments}")

    def rest(self) -> list[Shown]:
        """All events up to the end, however the connection ends; what is not complete is left out."""
        found = []
        try:
            found.extend(self)
        except (OSError, http.client.HTTPException, AssertionError):
            self.whole = False
        return found

    def close(self) -> None:
        self._connection.close()
        self.response.close()

    def __enter__(self) -> Stream:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
