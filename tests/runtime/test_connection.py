"""The connection to the store, when the server is silent, slow, wrong or elsewhere: to scripted servers."""

from __future__ import annotations

import asyncio
import itertools
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import hiredis
import pytest

from engine import connection
from engine.address import Address
from engine.channel import WRITE_LIMIT, Channel
from engine.commands import JobCancel, RouterStatus
from engine.connection import Connection
from engine.errors import Failed, Unavailable
from engine.library import library
from engine.settings import Settings, Tenant
from engine.store import LOADS, Store, root_of
from engine.worker import preparation
from engine.worker.preparation import prepare
from tests import support

Answer = Callable[[list[str]], bytes | None]
"""What a server replies to a command; None: nothing, ever."""

PATIENCE_SECONDS = 15.0


class Scripted:
    """A server that replies as told, and remembers what it was sent and how many have called."""

    def __init__(self, answer: Answer) -> None:
        self.answer = answer
        self.commands: list[list[str]] = []
        self.callers = 0
        self.reads = asyncio.Event()
        self.reads.set()
        self.talks: dict[asyncio.Task[None], asyncio.StreamWriter] = {}

    def take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.callers += 1
        self.talks[asyncio.create_task(self._talk(reader, writer))] = writer

    async def end(self) -> None:
        self.reads.set()
        for writer in self.talks.values():
            writer.close()
        await asyncio.gather(*self.talks, return_exceptions=True)

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        parser = hiredis.Reader(encoding="utf-8", notEnoughData=Ellipsis)
        await self.reads.wait()
        while data := await reader.read(1 << 16):
            parser.feed(data)
            while (command := parser.gets()) is not Ellipsis:
                self.commands.append(command)
                reply = self.answer(command)
                if reply is not None:
                    writer.write(reply)
            await self.reads.wait()


@asynccontextmanager
async def scripted(path: Path, answer: Answer) -> AsyncIterator[Scripted]:
    it = Scripted(answer)
    async with await asyncio.start_unix_server(it.take, path):
        try:
            yield it
        finally:
            await it.end()


@asynccontextmanager
async def connected(url: str, timeout: float = PATIENCE_SECONDS) -> AsyncIterator[Connection]:
    it = Connection(Address.parse(url), timeout=timeout)
    try:
        yield it
    finally:
        await it.close()


def run(work: Callable[[], Coroutine[Any, Any, None]]) -> None:
    async def bounded() -> None:
        async with asyncio.timeout(PATIENCE_SECONDS):
            await work()

    asyncio.run(bounded())


async def refused(call: Awaitable[object], text: str) -> None:
    with pytest.raises(Unavailable, match=text):
        await call


def pong(_: list[str]) -> bytes:
    return b"+PONG\r\n"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "s"


def test_a_silent_server_is_given_up(path: Path) -> None:
    async def work() -> None:
        async with scripted(path, lambda _: None), connected(f"unix://{path}", timeout=0.05) as it:
            calls = [it.call("PING") for _ in range(3)]
            for call in calls:
                await refused(call, "did not answer in time; whether the call was executed is unknown")

    run(work)


def test_a_connection_that_is_closed_while_it_signs_in_is_gone(path: Path) -> None:
    async def work() -> None:
        async with scripted(path, lambda _: None) as server:
            it = Connection(Address.parse(f"unix://:secret@{path}"), timeout=1_000)
            call = asyncio.create_task(it.call("PING"))
            while not server.commands:
                await asyncio.sleep(0.001)
            await it.close()
            await asyncio.gather(call, return_exceptions=True)
            # the server sees that nobody is there any more
            await asyncio.wait(server.talks)

    run(work)


@pytest.mark.parametrize("turns", range(16))
def test_a_connection_that_is_closed_while_it_opens_is_gone(path: Path, turns: int) -> None:
    async def work() -> None:
        async with scripted(path, lambda _: None) as server:
            it = Connection(Address.parse(f"unix://{path}"), timeout=1_000)
            call = asyncio.create_task(it.call("PING"))
            for _ in range(turns):
                await asyncio.sleep(0)
            await it.close()
            await asyncio.gather(call, return_exceptions=True)
            # the server sees that nobody is there any more
            if server.talks:
                await asyncio.wait(server.talks)

    run(work)


class Brief(Channel):
    """Lost by itself, so many turns of the event loop after it was opened."""

    turns: int

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self._live(self.turns)

    def _live(self, left: int) -> None:
        if left:
            asyncio.get_running_loop().call_soon(self._live, left - 1)
        else:
            self.abort()


@pytest.mark.parametrize("turns", range(10))
def test_no_call_waits_on_a_connection_that_is_lost_before_it_is_sent(
    path: Path, monkeypatch: pytest.MonkeyPatch, turns: int
) -> None:
    async def work() -> None:
        async with scripted(path, lambda _: None):
            it = Connection(Address.parse(f"unix://{path}"), timeout=PATIENCE_SECONDS, channel=Brief)
            await refused(it.call("PING"), "the connection to the store was lost")
            await it.close()

    monkeypatch.setattr(Brief, "turns", turns, raising=False)
    run(work)


@pytest.mark.parametrize("turns", range(8))
def test_a_caller_that_goes_away_when_there_is_room_again_is_gone(path: Path, turns: int) -> None:
    async def work() -> None:
        async with scripted(path, lambda _: None) as server, connected(f"unix://{path}", timeout=1_000) as it:
            first = asyncio.create_task(it.call("PING"))
            while not server.commands:
                await asyncio.sleep(0)
            assert it._channel is not None
            it._channel.pause_writing()
            second = asyncio.create_task(it.call("PING"))
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            it._channel.resume_writing()
            for _ in range(turns):
                await asyncio.sleep(0)
            second.cancel()
            await asyncio.wait({second})
            assert second.cancelled()
            first.cancel()

    run(work)


def test_no_call_waits_on_a_connection_that_is_closed_and_cannot_end(path: Path) -> None:
    """What is buffered is written first, which a server that does not read never lets happen."""

    async def work() -> None:
        async with scripted(path, pong) as server:
            server.reads.clear()
            it = Connection(Address.parse(f"unix://{path}"), timeout=0.05)
            call = asyncio.create_task(it.call("ECHO", "x" * 4 * WRITE_LIMIT))
            while it._channel is None or it._channel.writable.is_set():
                await asyncio.sleep(0)
            await it.close()
            await refused(call, "did not answer in time; whether the call was executed is unknown")

    run(work)


def test_what_is_no_protocol_ends_the_connection(path: Path) -> None:
    async def work() -> None:
        async with scripted(path, lambda _: b"nonsense\r\n") as server, connected(f"unix://{path}") as it:
            await refused(it.call("PING"), "was lost; whether the call was executed is unknown")
            server.answer = pong
            assert await it.call("PING") == "PONG"
            assert server.callers == 2

    run(work)


def test_a_server_that_does_not_read_makes_calls_wait(path: Path) -> None:
    large = "x" * 4 * WRITE_LIMIT

    async def work() -> None:
        async with scripted(path, pong) as server, connected(f"unix://{path}") as it:
            server.reads.clear()
            first = asyncio.ensure_future(it.call("ECHO", large))
            while it._channel is None or it._channel.writable.is_set():
                await asyncio.sleep(0)
            second = asyncio.ensure_future(it.call("PING"))
            await asyncio.sleep(0)
            assert server.commands == []
            server.reads.set()
            assert await asyncio.gather(first, second) == ["PONG", "PONG"]
            assert [command[0] for command in server.commands] == ["ECHO", "PING"]

    run(work)


def test_calls_that_wait_for_room_are_not_sent(path: Path) -> None:
    large = "x" * 4 * WRITE_LIMIT

    async def work() -> None:
        async with scripted(path, pong) as server:
            server.reads.clear()
            async with connected(f"unix://{path}", timeout=0.05) as it:
                first = asyncio.ensure_future(it.call("ECHO", large))
                while it._channel is None or it._channel.writable.is_set():
                    await asyncio.sleep(0)
                await refused(it.call("PING"), "not sent")
                await refused(first, "unknown")
            async with connected(f"unix://{path}") as it:
                first = asyncio.ensure_future(it.call("ECHO", large))
                while it._channel is None or it._channel.writable.is_set():
                    await asyncio.sleep(0)
                second = asyncio.ensure_future(it.call("PING"))
                await asyncio.sleep(0)
                it.drop()
                await refused(second, "was lost; the call was not sent")
                await refused(first, "unknown")

    run(work)


def test_a_call_too_many_is_refused_at_once(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "UNDER_WAY", 3)

    async def work() -> None:
        async with scripted(path, lambda _: None) as server, connected(f"unix://{path}") as it:
            calls = [asyncio.ensure_future(it.call("PING")) for _ in range(3)]
            while len(server.commands) < 3:
                await asyncio.sleep(0)
            await refused(it.call("PING"), "overloaded; the call was not sent")
            # their callers go away, and the server has yet to answer them
            for call in calls:
                call.cancel()
            await asyncio.gather(*calls, return_exceptions=True)
            await refused(it.call("PING"), "overloaded; the call was not sent")
            assert len(server.commands) == 3
            for writer in server.talks.values():
                writer.write(b"+PONG\r\n" * 3)
            while it._channel and it._channel.under_way:
                await asyncio.sleep(0)
            server.answer = pong
            assert await it.call("PING") == "PONG"

    run(work)


def test_a_server_that_is_too_slow_keeps_nobody_for_ever(path: Path) -> None:
    """Replies come all the time, but those of the last calls would come much later than anybody waits."""

    async def work() -> None:
        async with scripted(path, lambda _: None) as server, connected(f"unix://{path}", timeout=0.4) as it:
            calls = [asyncio.ensure_future(it.call("ECHO", str(number))) for number in range(1_000)]
            while len(server.commands) < len(calls):
                await asyncio.sleep(0)
            [writer] = server.talks.values()
            answered = 0
            while not calls[-1].done():
                writer.write(b":%d\r\n" % answered)
                answered += 1
                await asyncio.sleep(0.02)
            await refused(calls[-1], "did not answer in time; whether the call was executed is unknown")
            assert [await call for call in calls[:3]] == [0, 1, 2]
            # it is the same connection, and later replies go to later calls
            writer.write(b"".join(b":%d\r\n" % number for number in range(answered, len(calls))))
            server.answer = pong
            assert await it.call("PING") == "PONG"
            assert server.callers == 1

    run(work)


def test_another_database_and_a_password(path: Path) -> None:
    async def work() -> None:
        async with scripted(path, pong) as server, connected(f"unix://:pass@{path}?db=3") as it:
            await it.call("PING")
            assert server.commands == [["AUTH", "default", "pass"], ["SELECT", "3"], ["PING"]]

    run(work)


def test_who_is_not_let_in_says_so(path: Path) -> None:
    async def work() -> None:
        wrong = b"-WRONGPASS invalid\r\n"
        async with scripted(path, lambda _: wrong), connected(f"unix://:pass@{path}") as it:
            await refused(
                it.call("PING"), "does not take this user and password: .*; the call was not executed"
            )
            # another try comes a little later
            await refused(it.call("PING"), "cannot be reached; the call was not sent")

    run(work)


def test_nothing_is_sent_when_closed(path: Path) -> None:
    async def work() -> None:
        async with scripted(path, pong) as server, connected(f"unix://{path}") as it:
            await it.close()
            await refused(it.call("PING"), "the store is closed")
            assert server.callers == 0

    run(work)


def test_a_replica_is_not_talked_to_again(path: Path) -> None:
    """After a failover the address leads elsewhere: the next call finds the new primary."""

    def replica(command: list[str]) -> bytes:
        return b"*0\r\n" if command[0] == "FUNCTION" else b"-READONLY You can't write against a replica.\r\n"

    async def work() -> None:
        async with scripted(path, replica) as server:
            store = await Store.open(f"unix://{path}")
            await refused(store.run("jr:{t}", RouterStatus()), "READONLY.*; the call was not executed")
            server.answer = lambda _: b"*2\r\n$2\r\nop\r\n$1\r\n5\r\n"
            await store.run("jr:{t}", RouterStatus())
            assert server.callers == 2
            await store.close()

    run(work)


def test_a_store_that_cannot_be_opened_is_closed(path: Path) -> None:
    async def work() -> None:
        loading = b"-LOADING the dataset\r\n"
        async with scripted(path, lambda _: loading) as server:
            await refused(Store.open(f"unix://{path}"), "LOADING")
            server.answer = lambda _: b"-ERR unknown command\r\n"
            with pytest.raises(Failed, match="the library cannot be loaded"):
                await Store.open(f"unix://{path}")

    run(work)


def losing_library(times: int) -> Answer:
    """A server that loses the library so many times, each time just before a call."""
    calls = itertools.count()

    def answer(command: list[str]) -> bytes:
        if command[0] == "FUNCTION":
            return b"*0\r\n"
        return b"-ERR Function not found\r\n" if next(calls) < times else b"*2\r\n$2\r\nop\r\n$1\r\n5\r\n"

    return answer


def test_a_library_that_goes_away_between_two_calls(path: Path) -> None:
    """It is loaded as often as it goes, within reason: nothing has been executed meanwhile."""

    async def work() -> None:
        async with scripted(path, losing_library(LOADS)) as server:
            store = await Store.open(f"unix://{path}")
            assert await store.run("jr:{t}", JobCancel("j")) == {"op": "5"}
            server.answer = losing_library(LOADS + 1)
            await refused(store.run("jr:{t}", JobCancel("j")), "again and again; the call was not executed")
            await store.close()

    run(work)


def test_a_library_that_others_load_meanwhile(path: Path) -> None:
    """It is not taken for a newer one when it goes away at once."""
    found = named_library(library().source)

    def answer(command: list[str]) -> bytes:
        return found if command[:2] == ["FUNCTION", "LIST"] else b"-ERR Function not found\r\n"

    async def work() -> None:
        async with scripted(path, answer):
            store = await Store.open(f"unix://{path}")
            await refused(store.run("jr:{t}", JobCancel("j")), "again and again; the call was not executed")
            await store.close()

    run(work)


def test_calls_that_miss_the_library_together_load_it_once(path: Path) -> None:
    """Every load takes the store tens of milliseconds, in which it answers nobody."""
    done: list[list[str]] = []

    def answer(command: list[str]) -> bytes:
        if command[0] == "FUNCTION":
            done.append(command[1:])
            return b"*0\r\n"
        has_it = any(words[0] == "LOAD" for words in done)
        return b"*2\r\n$2\r\nop\r\n$1\r\n5\r\n" if has_it else b"-ERR Function not found\r\n"

    async def work() -> None:
        async with scripted(path, answer):
            store = Store.at(f"unix://{path}")
            calls = (store.run("jr:{t}", JobCancel("j")) for _ in range(50))
            assert await asyncio.gather(*calls) == [{"op": "5"}] * 50
            # not in place of what another process has loaded meanwhile: that would cost as much again
            assert done == [["LIST", "LIBRARYNAME", "jr", "WITHCODE"], ["LOAD", library().source]]
            await store.close()

    run(work)


def test_a_library_that_another_loads_first(path: Path) -> None:
    loaded = False

    def answer(command: list[str]) -> bytes:
        nonlocal loaded
        if command[:2] == ["FUNCTION", "LOAD"]:
            loaded = True
            return b"-ERR Library 'jr' already exists\r\n"
        if command[0] == "FUNCTION":
            return b"*0\r\n"
        return b"*2\r\n$2\r\nop\r\n$1\r\n5\r\n" if loaded else b"-ERR Function not found\r\n"

    async def work() -> None:
        async with scripted(path, answer):
            store = Store.at(f"unix://{path}")
            assert await store.run("jr:{t}", JobCancel("j")) == {"op": "5"}
            await store.close()

    run(work)


def named_library(source: str) -> bytes:
    """What FUNCTION LIST tells of one library."""
    text = source.encode()
    return b"*1\r\n*2\r\n$12\r\nlibrary_code\r\n$%d\r\n%s\r\n" % (len(text), text)


def test_tcp() -> None:
    async def work() -> None:
        it = Scripted(pong)
        async with await asyncio.start_server(it.take, "127.0.0.1", 0) as server:
            port = server.sockets[0].getsockname()[1]
            async with connected(f"redis://127.0.0.1:{port}") as connection:
                assert await connection.call("PING") == "PONG"
            await it.end()

    run(work)


def test_preparation_waits_for_the_store_and_writes_what_differs(
    server: support.Server, tenant: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    settings = Settings({tenant: Tenant(tenant)}, keep_events_count=77)
    failures = 2

    class Late(Store):
        async def load(self, *, everywhere: bool = True) -> bool:
            nonlocal failures
            failures -= 1
            if failures >= 0:
                raise Unavailable("it starts")
            return await super().load()

    async def work() -> None:
        store = Late.at(server.url)
        await prepare(store, settings, writes=False)
        assert failures < 0
        status = await store.run(root_of(tenant), RouterStatus())
        assert status["keep_events_count"] != 77
        await prepare(store, settings, writes=True)
        status = await store.run(root_of(tenant), RouterStatus())
        assert status["keep_events_count"] == 77
        await store.close()

    monkeypatch.setattr(preparation, "_PAUSE_SECONDS", 0.001)
    with caplog.at_level(logging.WARNING):
        run(work)
    assert [record.getMessage() for record in caplog.records] == ["waiting for the store: it starts"]
