"""Endpoints that hang, crawl, redirect, flood or break TLS delay nobody else, and are told apart."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Callable
from typing import Any

import pytest

from engine import commands as c
from engine.deliveries.tries import Tries
from tests.deliveries.receiver import receiver
from tests.deliveries.router import Router, eventually
from tests.outgoing.endpoint import Reply, endpoint, hang_up, silence, status

Run = Callable[[Any], None]

SECONDS = 0.5
"""How long a try may take: a hostile endpoint that held others up would hold them up for longer."""


async def crawl(writer: asyncio.StreamWriter) -> None:
    """A byte of the head at a time, for ever."""
    for byte in b"HTTP/1.1 200 OK\r\nX-Long: " + b"x" * 10_000:
        writer.write(bytes([byte]))
        await writer.drain()
        await asyncio.sleep(0.05)


async def flood(writer: asyncio.StreamWriter) -> None:
    """A body without end."""
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 10000000000\r\n\r\n")
    while True:
        writer.write(b"x" * 65_536)
        await writer.drain()


async def trickle(writer: asyncio.StreamWriter) -> None:
    """A body without end, a byte at a time."""
    writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    while True:
        writer.write(b"1\r\nx\r\n")
        await writer.drain()
        await asyncio.sleep(0.05)


class NoTls(asyncio.Protocol):
    """Says something that is no TLS, and hangs up."""

    def connection_made(self, transport: Any) -> None:
        transport.write(b"no TLS\r\n")
        transport.close()


@pytest.mark.parametrize(
    ("reply", "told"),
    [
        (silence, Tries(1, 0, 0, 0, "no answer within 0.5 s", late=True)),
        (crawl, Tries(1, 0, 0, 0, "no answer within 0.5 s", late=True)),
        (hang_up, Tries(1, 0, 0, 0, "the connection was lost")),
        (
            status(302, "Location: http://127.0.0.1:1/"),
            Tries(1, 0, 0, 302, "the endpoint answers with status 302"),
        ),
        (b"nonsense\r\n\r\n", Tries(1, 0, 0, 0, "the answer is cut off or not HTTP")),
    ],
    ids=["silence", "crawl", "hang up", "redirect", "nonsense"],
)
def test_a_hostile_endpoint_delays_nobody_else(with_router: Run, reply: Reply, told: Tries) -> None:
    async def test(router: Router) -> None:
        async with endpoint(reply) as hostile, receiver() as good, router.delivering(seconds=SECONDS):
            await router.subscribe("hostile", f"{hostile.url}/hook?code=s3cret", attempts=1)
            await router.subscribe("good", good.url)
            for n in range(5):
                await router.job(f"job-{n}")
            await good.until(lambda: len(good.taken) == 10)
            letters = await dead_letters(router, "hostile", 10)
        for letter in letters:
            tries = Tries.parse(letter["facts"])
            assert (tries.count, tries.status, tries.outcome, tries.late, tries.why) == (
                told.count,
                told.status,
                told.outcome,
                told.late,
                "attempts",
            )
        record = await router.read("hostile")
        assert record["last_error"] == told.outcome
        assert "s3cret" not in json.dumps([letters, record])

    with_router(test)


async def dead_letters(router: Router, name: str, count: int) -> list[dict[str, Any]]:
    """The dead letters of a subscription, once there are so many."""

    async def letters() -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = (await router.run(c.DeadLetterList(name)))["rows"]
        return rows if len(rows) >= count else []

    found: list[dict[str, Any]] = await eventually(letters)
    return found


@pytest.mark.parametrize("reply", [flood, trickle])
def test_what_an_endpoint_says_after_its_status_does_not_matter(with_router: Run, reply: Reply) -> None:
    async def test(router: Router) -> None:
        async with endpoint(reply) as hostile, router.delivering(seconds=SECONDS):
            await router.subscribe("s", hostile.url)
            await router.job("a")
            await eventually(lambda: router.counts("s", delivered=2))
            # each answer costs its connection
            assert hostile.connections == len(hostile.requests) == 2

    with_router(test)


def test_no_tls_is_a_failure_that_is_tried_again(with_router: Run) -> None:
    async def test(router: Router) -> None:
        server = await asyncio.get_running_loop().create_server(NoTls, "127.0.0.1", 0)
        async with server, router.delivering():
            port = server.sockets[0].getsockname()[1]
            await router.subscribe("s", f"https://127.0.0.1:{port}/", attempts=2)
            await router.job("a")
            letters = await dead_letters(router, "s", 2)
            assert {Tries.parse(one["facts"]).outcome for one in letters} == {"no TLS connection"}
            assert {Tries.parse(one["facts"]).count for one in letters} == {2}

    with_router(test)


def test_addresses_are_guarded(with_router: Run) -> None:
    async def test(router: Router) -> None:
        async with router.delivering():
            await router.subscribe("s", "http://10.0.0.1/hook", attempts=1)
            await router.job("a")
            (first, _) = await dead_letters(router, "s", 2)
            assert (
                Tries.parse(first["facts"]).outcome
                == "the host has an address that is not allowed (see --allow-outgoing)"
            )

    with_router(test)


def test_logs_tell_neither_urls_nor_secrets(with_router: Run, caplog: pytest.LogCaptureFixture) -> None:
    async def test(router: Router) -> None:
        async with endpoint(hang_up) as hostile, router.delivering():
            await router.subscribe("s", f"{hostile.url}/path?code=s3cret", attempts=2)
            await router.job("a")
            await dead_letters(router, "s", 2)

    with caplog.at_level(logging.DEBUG, "jobrouter"):
        with_router(test)
    text = "".join(record.getMessage() for record in caplog.records if record.name.startswith("jobrouter"))
    assert "s3cret" not in text
    assert "/path" not in text
