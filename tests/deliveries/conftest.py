"""The router of a test of deliveries, on the loop that the worker has."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from tests import support
from tests.deliveries.router import Router
from tests.outgoing.endpoint import run as run_on_loop

Test = Callable[[Router], Awaitable[None]]


@pytest.fixture
def with_router(server: support.Server, open_store: Any, tenant: str) -> Callable[[Test], None]:
    """Runs a test with a router that has a queue."""

    def run(test: Test) -> None:
        async def main() -> None:
            async with open_store() as store:
                router = Router(store, server.url, tenant)
                await router.set_up()
                await test(router)

        run_on_loop(main())

    return run
