"""Deliveries through a real store to real endpoints."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tests.deliveries.receiver import after, receiver, refuses, silence
from tests.deliveries.router import Router

Run = Callable[[Any], None]


def test_events_arrive_in_order(with_router: Run) -> None:
    async def test(router: Router) -> None:
        async with receiver() as endpoint, router.delivering():
            await router.subscribe("s", endpoint.url)
            for n in range(20):
                await router.job(f"job-{n}")
            for n in range(20):
                await router.cancel(f"job-{n}")
            await endpoint.until(lambda: len(endpoint.taken) == 60)
            for n in range(20):
                assert endpoint.kinds(f"job-{n}") == [
                    "RouterJobReceived",
                    "RouterJobQueued",
                    "RouterJobCancelled",
                ]

    with_router(test)


def test_a_failed_event_is_tried_again_and_holds_up_only_its_job(with_router: Run) -> None:
    async def test(router: Router) -> None:
        def answer(event: dict[str, Any], time: int) -> Any:
            return after(3 if event["data"]["jobId"] == "bad" else 1)(event, time)

        async with receiver(answer) as endpoint, router.delivering():
            await router.subscribe("s", endpoint.url)
            await router.job("bad")
            await router.cancel("bad")
            await router.job("good")
            await endpoint.until(lambda: len(endpoint.taken) == 5)
            assert endpoint.kinds("bad") == ["RouterJobReceived", "RouterJobQueued", "RouterJobCancelled"]
            assert len(endpoint.events) == 11
            assert endpoint.ids()[:2] == [e["id"] for e in endpoint.taken if e["data"]["jobId"] == "good"]

    with_router(test)


def test_what_is_refused_is_given_up_at_once(with_router: Run) -> None:
    async def test(router: Router) -> None:
        async with receiver(refuses(403)) as endpoint, router.delivering():
            await router.subscribe("s", endpoint.url)
            await router.job("a")
            await endpoint.until(lambda: len(endpoint.events) == 2)
        assert (await router.read("s"))["dead"] == "2"
        assert len(endpoint.events) == 2

    with_router(test)


def test_an_endpoint_that_hangs_delays_nobody_else(with_router: Run) -> None:
    async def test(router: Router) -> None:
        async with receiver(silence) as dead, receiver() as endpoint, router.delivering(seconds=0.3):
            await router.subscribe("dead", dead.url, attempts=2)
            await router.subscribe("s", endpoint.url)
            for n in range(10):
                await router.job(f"job-{n}")
            await endpoint.until(lambda: len(endpoint.taken) == 20)
            await dead.until(lambda: len(dead.events) == 40)
        assert len(endpoint.taken) == 20

    with_router(test)
