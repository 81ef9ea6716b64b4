"""Connections that say nothing, or no TLS, to a port for https: they count, and none of them stays."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import socket
import ssl
from collections.abc import AsyncIterator, Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest
import uvloop

from api.serving import handshakes, tls
from api.serving.listeners import listen, serving
from tests.admission import asgi
from tests.admission.test_connections import WHOLE, Pair, Server, answered, closed

Run = Callable[[Callable[[], Coroutine[Any, Any, None]]], None]


@pytest.fixture(params=[asyncio.run, uvloop.run], ids=["asyncio", "uvloop"])
def run(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs a test on each kind of event loop."""
    monkeypatch.setattr(asyncio, "run", request.param)
    return asgi.run


class Secure(Server):
    """The same behind TLS."""

    def __init__(self, folder: Path, most: int) -> None:
        super().__init__(most)
        self._files = tls.development_files(folder, ())
        self._context = ssl.create_default_context(cafile=self._files.ca)

    @contextlib.asynccontextmanager
    async def runs(self) -> AsyncIterator[None]:
        plain, secure = listen("127.0.0.1", 0), listen("127.0.0.1", 0)
        self._address = secure.getsockname()
        async with serving(self, [plain, secure], self._files, self.connections):
            yield

    async def trusting(self) -> Pair:
        """A connection whose handshake is done."""
        return await asyncio.open_connection(*self._address, ssl=self._context)

    async def are_open(self, number: int) -> None:
        while len(self.connections._open) != number:
            await asyncio.sleep(0.001)


def test_one_that_says_nothing_takes_the_place_of_nobody(run: Run, tmp_path: Path) -> None:
    async def work() -> None:
        server = Secure(tmp_path, 2)
        async with server.runs():
            used = await server.trusting()
            await answered(used)
            silent = await server.connect()
            await server.are_open(2)
            another = await server.trusting()
            assert await closed(silent) == b""
            await answered(another)
            await answered(used)
            assert server.cut() == {"idle": 1}
            for pair in (used, another):
                pair[1].close()
            await server.are_open(0)

    run(work)


def test_there_is_no_room_while_all_others_are_busy(run: Run, tmp_path: Path) -> None:
    async def work() -> None:
        server = Secure(tmp_path, 1)
        async with server.runs():
            server.goes_on.clear()
            busy = await server.trusting()
            busy[1].write(WHOLE)
            while not server.asked:
                await asyncio.sleep(0)
            assert await closed(await server.connect()) == b""
            server.goes_on.set()
            assert (await busy[0].readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 200")
            assert server.cut() == {"refused": 1}
            busy[1].close()

    run(work)


@pytest.mark.parametrize("says", [b"", b"\x16\x03\x01"], ids=["nothing", "half of it"])
def test_a_handshake_has_its_time(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, says: bytes
) -> None:
    monkeypatch.setattr(handshakes, "HANDSHAKE_SECONDS", 0.05)

    async def work() -> None:
        server = Secure(tmp_path, 9)
        async with server.runs():
            assert await closed(await server.connect(says)) == b""
            await server.are_open(0)

    run(work)


def test_who_speaks_no_tls_or_goes_is_forgotten(run: Run, tmp_path: Path) -> None:
    async def work() -> None:
        server = Secure(tmp_path, 9)
        async with server.runs():
            await closed(await server.connect(WHOLE))
            (await server.connect())[1].close()
            with pytest.raises(ssl.SSLCertVerificationError):
                await asyncio.open_connection(*server._address, ssl=ssl.create_default_context())
            await server.are_open(0)
            pair = await server.trusting()
            await answered(pair)
            pair[1].close()
            await server.are_open(0)

    run(work)


def test_connections_are_taken_again_when_there_are_files_for_them(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(handshakes, "_PAUSE_SECONDS", 0.001)
    accept, times = socket.socket.accept, 0

    def scarce(listener: socket.socket) -> Any:
        nonlocal times
        times += 1
        if times == 1:
            raise OSError(errno.EMFILE, "Too many open files")
        return accept(listener)

    monkeypatch.setattr(socket.socket, "accept", scarce)

    async def work() -> None:
        server = Secure(tmp_path, 9)
        async with server.runs():
            pair = await server.trusting()
            await answered(pair)
            pair[1].close()

    run(work)
    assert "Too many open files" in caplog.text


def test_what_comes_right_behind_the_handshake_is_answered(run: Run, tmp_path: Path) -> None:
    """Also when it has come before the server knows that the handshake is done, and with the end of all."""

    async def work() -> None:
        server = Secure(tmp_path, 9)
        async with server.runs():
            for _ in range(20):
                reader, writer = await asyncio.open_connection(*server._address)
                incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
                client = server._context.wrap_bio(incoming, outgoing, server_hostname="localhost")
                while True:
                    with contextlib.suppress(ssl.SSLWantReadError):
                        client.do_handshake()
                        break
                    writer.write(outgoing.read())
                    incoming.write(await reader.read(65_536))
                client.write(WHOLE.replace(b"\r\n\r\n", b"\r\nconnection: close\r\n\r\n"))
                writer.write(outgoing.read())
                assert await _read(client, incoming, reader) == b"HTTP/1.1 200 "
                writer.close()
            await server.are_open(0)

    run(work)


async def _read(client: ssl.SSLObject, incoming: ssl.MemoryBIO, reader: asyncio.StreamReader) -> bytes:
    while True:
        try:
            return client.read(13)
        except ssl.SSLWantReadError:
            incoming.write(await reader.read(65_536))


def test_the_end_of_the_server_waits_for_no_handshake(run: Run, tmp_path: Path) -> None:
    async def work() -> None:
        server = Secure(tmp_path, 9)
        async with server.runs():
            silent = await server.connect()
        assert await closed(silent) == b""
        assert not server.connections._open

    run(work)
