"""Answers in parts: how they begin, end, fail, and are cut."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from typing import Any

import pytest

from api import streaming
from api.streaming import ABORT, Disconnected, Streaming, unless_gone
from tests.support import PATIENCE_SECONDS

HEADERS = [(b"content-type", b"text/plain")]


class Peer:
    """A client: what it was sent, whether it reads, when it goes."""

    def __init__(self, most: int = 1000) -> None:
        self._most = most
        self.sent: list[Any] = []
        self.reads = asyncio.Event()
        if most:
            self.reads.set()
        self.gone = asyncio.Event()
        self.aborted = False
        self.scope = {"extensions": {ABORT: {"now": self._abort}}}

    def _abort(self) -> None:
        self.aborted = True

    async def receive(self) -> Any:
        await self.gone.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Any) -> None:
        await self.reads.wait()
        self.sent.append(message)
        if len(self.sent) == self._most:
            self.reads.clear()

    @property
    def body(self) -> list[bytes]:
        return [message["body"] for message in self.sent[1:]]


class Source:
    """Parts, and what became of them."""

    def __init__(self, *parts: bytes, last: Any = None) -> None:
        self.over: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self.closed = 0
        self.answer = Streaming(HEADERS, self._parts(parts, last), self.over, self._close)

    async def _parts(self, parts: tuple[bytes, ...], last: Any) -> AsyncGenerator[bytes, None]:
        for part in parts:
            yield part
        if isinstance(last, Exception):
            raise last
        if last is not None:
            await last.wait()

    def _close(self) -> None:
        self.closed += 1

    async def deliver(self, peer: Peer) -> None:
        await self.answer.deliver([(b"a", b"b")], peer.scope, peer.receive, peer.send)
        assert self.closed == 1


def test_a_whole_answer() -> None:
    async def work() -> None:
        peer, source = Peer(), Source(b"one", b"two")
        await source.deliver(peer)
        assert peer.sent[0] == {
            "type": "http.response.start",
            "status": 200,
            "headers": [(b"a", b"b"), *HEADERS],
        }
        assert peer.body == [b"one", b"two", b""]
        assert [message.get("more_body", False) for message in peer.sent[1:]] == [True, True, False]
        assert not peer.aborted

    asyncio.run(work())


def test_a_client_that_goes() -> None:
    async def work() -> None:
        never = asyncio.Event()
        peer, source = Peer(), Source(b"one", last=never)
        delivery = asyncio.create_task(source.deliver(peer))
        peer.gone.set()
        await delivery
        assert not peer.aborted

    asyncio.run(work())


def test_a_client_that_goes_before_the_first_part() -> None:
    async def work() -> None:
        peer, source = Peer(), Source(b"one")
        peer.reads.clear()
        peer.gone.set()
        await source.deliver(peer)
        assert peer.sent == []

    asyncio.run(work())


def test_parts_that_fail_cut_the_connection() -> None:
    async def work() -> None:
        peer, source = Peer(), Source(b"one", last=ValueError("no more"))
        with pytest.raises(ValueError, match="no more"):
            await source.deliver(peer)
        assert source.closed == 1
        assert peer.body == [b"one"]
        assert peer.aborted

    asyncio.run(work())


def test_the_end_waits_a_little_for_the_last_part() -> None:
    async def work() -> None:
        end = asyncio.Event()
        peer, source = Peer(), Source(b"one", last=end)
        delivery = asyncio.create_task(source.deliver(peer))
        source.over.set_result("closing")
        asyncio.get_running_loop().call_soon(end.set)
        await delivery
        assert peer.body == [b"one", b""]
        assert not peer.aborted

    asyncio.run(work())


def test_a_client_that_does_not_read_is_cut_at_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streaming, "LAST_SECONDS", 0.01)

    async def work() -> None:
        peer, source = Peer(), Source(b"one")
        peer.reads.clear()
        source.over.set_result("too slow")
        await source.deliver(peer)
        assert peer.aborted
        assert peer.sent == []

    asyncio.run(work())


@pytest.mark.parametrize("read", [0, 1, 2, 3])
def test_a_client_that_does_not_read_is_cut(monkeypatch: pytest.MonkeyPatch, read: int) -> None:
    monkeypatch.setattr(streaming, "SEND_SECONDS", 0.01)

    async def work() -> None:
        peer, source = Peer(read), Source(b"one", b"two")
        await source.deliver(peer)
        assert peer.aborted
        assert len(peer.sent) == read

    asyncio.run(asyncio.wait_for(work(), PATIENCE_SECONDS))


def test_a_timeout_of_the_connection_is_a_failure() -> None:
    async def work() -> None:
        peer, source = Peer(), Source(b"one")

        async def send(message: Any) -> None:
            raise TimeoutError("the network")

        with pytest.raises(TimeoutError, match="the network"):
            await source.answer.deliver([], peer.scope, peer.receive, send)
        assert peer.aborted

    asyncio.run(work())


def test_a_cancelled_answer_is_freed() -> None:
    async def work() -> None:
        peer, source = Peer(), Source(b"one", last=asyncio.Event())
        delivery = asyncio.create_task(source.deliver(peer))
        while not peer.body:
            await asyncio.sleep(0)
        delivery.cancel()
        with pytest.raises(asyncio.CancelledError):
            await delivery
        assert source.closed == 1
        assert peer.aborted

    asyncio.run(work())


def test_work_unless_the_client_goes() -> None:
    async def work() -> None:
        peer = Peer()

        async def quick() -> int:
            return 7

        freed = asyncio.Event()

        async def slow() -> None:
            try:
                await asyncio.Event().wait()
            finally:
                freed.set()

        assert await unless_gone(peer.receive, quick()) == 7
        waiting = asyncio.create_task(unless_gone(peer.receive, slow()))
        await asyncio.sleep(0)
        peer.gone.set()
        with pytest.raises(Disconnected):
            await waiting
        assert freed.is_set()

    asyncio.run(work())
