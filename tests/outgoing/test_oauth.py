"""Tokens: kept while they last, asked for once."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

import pytest

from engine.outgoing import oauth
from engine.outgoing.errors import OutgoingFailed
from engine.outgoing.oauth import Grant, Tokens
from engine.outgoing.retrying import Retrying
from engine.outgoing.secret import Secret
from tests.outgoing.endpoint import Endpoint, Reply, client, endpoint, ok, run, silence, status


class Clock:
    """A clock that is set."""

    def __init__(self) -> None:
        self.seconds = 1_000.0

    def __call__(self) -> float:
        return self.seconds


@contextlib.asynccontextmanager
async def tokens(*replies: Reply) -> AsyncIterator[tuple[Tokens, Endpoint, Clock]]:
    clock = Clock()
    async with endpoint(*replies) as authority, client() as it:
        made = Tokens(Retrying(it, retries=1, pause_seconds=0), clock)
        yield made, authority, clock
        await made.close()


def grant(authority: Endpoint, client_id: str = "me", secret: str = "s&=+ ü") -> Grant:
    return Grant(Secret(f"{authority.url}/token?api=1"), client_id, Secret(secret))


def answer(name: str, **more: Any) -> bytes:
    return ok({"access_token": name, "token_type": "Bearer", **more})


def test_what_is_asked() -> None:
    async def work() -> None:
        async with tokens(answer("t", expires_in=3600)) as (made, authority, _):
            assert await made.token(grant(authority)) == Secret("t")
            (request,) = authority.requests
            assert (request.method, request.path) == ("POST", "/token?api=1")
            assert request.headers["content-type"] == "application/x-www-form-urlencoded"
            assert request.body == (
                b"grant_type=client_credentials&client_id=me&client_secret=s%26%3D%2B+%C3%BC"
            )

    run(work())


@pytest.mark.parametrize(
    ("expires_in", "lasts"),
    [(3600, 3540), ("3600", 3540), (120, 60), (60, 30), (1.0, 0.5), (None, 240), ("soon", 240)],
)
def test_a_token_is_kept_until_shortly_before_its_end(expires_in: Any, lasts: float) -> None:
    async def work() -> None:
        more = {} if expires_in is None else {"expires_in": expires_in}
        async with tokens(answer("t1", **more), answer("t2", **more)) as (made, authority, clock):
            assert await made.token(grant(authority)) == Secret("t1")
            clock.seconds += lasts - 0.01
            assert await made.token(grant(authority)) == Secret("t1")
            clock.seconds += 0.02
            assert await made.token(grant(authority)) == Secret("t2")

    run(work())


@pytest.mark.parametrize("expires_in", [0, -5, "nan", "-inf"])
def test_a_token_that_has_ended_already_is_used_once(expires_in: Any) -> None:
    async def work() -> None:
        async with tokens(answer("t", expires_in=expires_in)) as (made, authority, _):
            await made.token(grant(authority))
            await made.token(grant(authority))
            assert len(authority.requests) == 2

    run(work())


def test_many_wait_for_the_same_token() -> None:
    async def work() -> None:
        async with tokens(answer("t")) as (made, authority, _):
            got = await asyncio.gather(*(made.token(grant(authority)) for _ in range(50)))
            assert set(got) == {Secret("t")}
            assert len(authority.requests) == 1

    run(work())


def test_one_who_goes_away_does_not_take_the_token_from_the_others() -> None:
    async def work() -> None:
        async with tokens(answer("t")) as (made, authority, _):
            first, second = (asyncio.create_task(made.token(grant(authority))) for _ in range(2))
            await asyncio.sleep(0)
            first.cancel()
            assert await second == Secret("t")
            assert first.cancelled()
            assert len(authority.requests) == 1

    run(work())


def test_a_failure_is_not_kept() -> None:
    async def work() -> None:
        async with tokens(status(400), answer("t")) as (made, authority, _):
            with pytest.raises(OutgoingFailed, match="status 400"):
                await made.token(grant(authority))
            assert await made.token(grant(authority)) == Secret("t")

    run(work())


def test_a_changed_secret_gets_a_token_of_its_own() -> None:
    async def work() -> None:
        async with tokens(answer("t1"), answer("t2"), answer("t3")) as (made, authority, _):
            names = [
                await made.token(grant(authority, *who))
                for who in (("me", "a"), ("me", "b"), ("you", "a"), ("me", "a"))
            ]
            assert names == [Secret("t1"), Secret("t2"), Secret("t3"), Secret("t1")]

    run(work())


def test_only_the_refused_token_is_dropped() -> None:
    async def work() -> None:
        async with tokens(answer("t1"), answer("t2"), answer("t3")) as (made, authority, _):
            who = grant(authority)
            old = await made.token(who)
            made.drop(who, old)
            new = await made.token(who)
            made.drop(who, old)
            assert await made.token(who) == new

    run(work())


def test_the_oldest_of_too_many_tokens_is_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(oauth, "_MOST_KEPT", 2)

    async def work() -> None:
        async with tokens(answer("t")) as (made, authority, _):
            for name, asked in (("a", 1), ("b", 2), ("a", 2), ("c", 3), ("b", 3), ("c", 3), ("a", 4)):
                await made.token(grant(authority, name))
                assert len(authority.requests) == asked

    run(work())


def test_close_ends_what_is_under_way() -> None:
    async def work() -> None:
        async with tokens(silence) as (made, authority, _):
            waiting = asyncio.create_task(made.token(grant(authority)))
            while not authority.requests:
                await asyncio.sleep(0)
            await made.close()
            await asyncio.wait([waiting])
            assert waiting.cancelled()

    run(work())
