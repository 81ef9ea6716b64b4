"""``jobrouter check`` as a call: all invariants over everything that a router holds."""

from __future__ import annotations

import asyncio

from engine.inspection import problems


def unsound(url: str, tenant: str) -> list[str]:
    """What is wrong with a router in a live store; empty when it is sound."""

    async def look() -> list[str]:
        return [problem async for _, found in problems(url, tenant) for problem in found]

    return asyncio.run(look())
