"""The wire of one connection: when calls leave, and in which order."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Coroutine
from typing import Any

import hiredis
import pytest
import uvloop

from engine.channel import EARLY_CALLS, Channel

PATIENCE_SECONDS = 15.0


def run(work: Coroutine[Any, Any, None], factory: Any) -> None:
    with asyncio.Runner(loop_factory=factory) as runner:
        runner.run(asyncio.wait_for(work, PATIENCE_SECONDS))


async def pair() -> tuple[Channel, socket.socket]:
    """A channel, and the other end of its wire."""
    ours, theirs = socket.socketpair()
    theirs.setblocking(False)
    loop = asyncio.get_running_loop()
    _, channel = await loop.create_connection(lambda: Channel(lambda _: None, PATIENCE_SECONDS), sock=ours)
    return channel, theirs


def word(number: int, size: int = 0) -> bytes:
    return hiredis.pack_command(("ECHO", f"{number}-".ljust(size, "x")))


def numbers(data: bytes) -> list[int]:
    reader = hiredis.Reader(encoding="utf-8", notEnoughData=Ellipsis)
    reader.feed(data)
    return [int(words[1].partition("-")[0]) for words in iter(reader.gets, Ellipsis)]


@pytest.mark.parametrize(
    "factory", [uvloop.new_event_loop, asyncio.new_event_loop], ids=["uvloop", "asyncio"]
)
def test_the_first_calls_of_a_tick_leave_before_it_ends(factory: Any) -> None:
    async def talk() -> None:
        channel, theirs = await pair()
        for number in range(EARLY_CALLS + 3):
            channel.send(word(number))
        # no await between: the tick has not ended
        assert numbers(theirs.recv(1 << 16)) == list(range(EARLY_CALLS))
        rest = await asyncio.get_running_loop().sock_recv(theirs, 1 << 16)
        assert numbers(rest) == list(range(EARLY_CALLS, EARLY_CALLS + 3))
        channel.abort()
        theirs.close()

    run(talk(), factory)


@pytest.mark.parametrize(
    "factory", [uvloop.new_event_loop, asyncio.new_event_loop], ids=["uvloop", "asyncio"]
)
def test_calls_stay_in_order_when_there_is_no_room_for_all(factory: Any) -> None:
    count = 20 * EARLY_CALLS

    async def talk() -> None:
        channel, theirs = await pair()
        loop = asyncio.get_running_loop()
        for number in range(count):
            # more than any socket takes at once
            channel.send(word(number, 10_000))
            if number % 30 == 0:
                await asyncio.sleep(0)
        data = b""
        while data.count(b"ECHO") < count or not data.endswith(b"x\r\n"):
            data += await loop.sock_recv(theirs, 1 << 20)
        assert numbers(data) == list(range(count))
        channel.abort()
        theirs.close()

    run(talk(), factory)


def test_a_lost_wire_fails_the_calls() -> None:
    async def talk() -> None:
        channel, theirs = await pair()
        theirs.close()
        replies = [channel.send(word(number)) for number in range(EARLY_CALLS)]
        with pytest.raises(Exception, match="the connection to the store was lost"):
            await replies[-1]
        await asyncio.gather(*replies, return_exceptions=True)

    run(talk(), uvloop.new_event_loop)
