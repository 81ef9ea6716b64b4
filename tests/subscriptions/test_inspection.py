"""``jobrouter check`` looks at subscriptions, too, and at what is left of those that are gone."""

from __future__ import annotations

import asyncio

import pytest

from engine.inspection import problems
from tests.subscriptions.router import Router
from tests.support import Server


def found(server: Server, tenant: str) -> list[str]:
    """All that is wrong in a tenant."""

    async def look() -> list[str]:
        return [text async for _, texts in problems(server.url, tenant) for text in texts]

    return asyncio.run(look())


def test_sound_subscriptions_are_no_problem(router: Router, server: Server, tenant: str) -> None:
    router.subscribe("a")
    router.agree()
    router.subscribe("b")
    assert found(server, tenant) == []


@pytest.mark.parametrize(
    ("key", "problem"),
    [
        (":tasks", "is gone but something is to be done for it"),
        (":agenda", "is gone but something is to be done for it"),
        (":secret.validation:s", "has a wrong code"),
        (":secret.subscription:s", "has no secret"),
        (":subscriptions", "is listed wrongly"),
    ],
)
def test_what_is_broken_is_found(router: Router, server: Server, tenant: str, key: str, problem: str) -> None:
    router.subscribe()
    if problem.startswith("is gone"):
        row = "validate:s" if key == ":tasks" else "validation:s"
        router.redis.delete(*router.redis.keys(f"{router.root}:*"))
        router.redis.zadd(router.root + key, {row: 1})
    else:
        router.redis.delete(router.root + key)
    texts = found(server, tenant)
    assert any(text.startswith("subscription s ") and problem in text for text in texts), texts
