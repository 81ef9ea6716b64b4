"""A proxy between the API and its store that can swallow one reply."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path


@dataclass
class Link:
    """The two ends of one connection."""

    client: socket.socket
    store: socket.socket
    is_doomed: bool = False

    def close(self) -> None:
        for end in (self.client, self.store):
            # the other thread may be waiting on it: shutdown wakes it
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)


@dataclass
class Proxy:
    """Passes on everything; the reply to what it was told to cut is lost, and the connection with it."""

    path: Path
    target: Path
    cuts: int = 0
    _cut: bytes = b""
    _links: list[Link] = field(default_factory=list)
    _threads: list[threading.Thread] = field(default_factory=list)
    _listener: socket.socket | None = None

    @property
    def url(self) -> str:
        return f"unix://{self.path}"

    def cut(self, call: str) -> None:
        """The next call that has this text is executed, and its reply is lost."""
        self._cut = call.encode()

    def start(self) -> None:
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(self.path))
        self._listener.listen()
        self._run(self._accept, self._listener)

    def close(self) -> None:
        if self._listener:
            self._listener.shutdown(socket.SHUT_RDWR)
        for link in self._links:
            link.close()
        for thread in self._threads:
            thread.join(5)
        if self._listener:
            self._listener.close()

    def _run(self, work: object, argument: object) -> None:
        thread = threading.Thread(target=work, args=(argument,), daemon=True)  # type: ignore[arg-type]
        self._threads.append(thread)
        thread.start()

    def _accept(self, listener: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = listener.accept()
                store = socket.socket(socket.AF_UNIX)
                store.connect(str(self.target))
                link = Link(client, store)
                self._links.append(link)
                self._run(self._requests, link)
                self._run(self._replies, link)

    def _requests(self, link: Link) -> None:
        with link.client, contextlib.suppress(OSError):
            while data := link.client.recv(65_536):
                if self._cut and self._cut in data:
                    link.is_doomed = True
                    self._cut = b""
                link.store.sendall(data)
            link.close()

    def _replies(self, link: Link) -> None:
        with link.store, contextlib.suppress(OSError):
            while data := link.store.recv(65_536):
                if link.is_doomed:
                    self.cuts += 1
                    break
                link.client.sendall(data)
            link.close()


@contextlib.contextmanager
def proxy(path: Path, target: Path) -> Iterator[Proxy]:
    """A running proxy on a unix socket."""
    it = Proxy(path, target)
    it.start()
    try:
        yield it
    finally:
        it.close()
