"""The head of the outbox, as those who deliver see it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from engine import commands as c
from engine import unending
from engine.deliveries import tail as module
from engine.deliveries.outbox import entry_of
from engine.deliveries.tail import Tail
from engine.outbox import of_row, of_texts
from engine.store import root_of
from tests.deliveries.router import Router
from tests.outgoing.endpoint import endpoint, ok

Run = Callable[[Any], None]


@contextlib.asynccontextmanager
async def following(router: Router) -> AsyncIterator[tuple[Tail, asyncio.Event]]:
    """A tail that follows, and what is set whenever it has something new."""
    woken = asyncio.Event()
    tail = Tail(router.store, root_of(router.tenant), woken.set)
    task = asyncio.create_task(tail.run())
    try:
        await woken.wait()
        woken.clear()
        yield tail, woken
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def last_of(router: Router) -> int:
    return int((await router.run(c.EventList()))["last"])


def test_it_gives_what_comes_after_an_entry(with_router: Run) -> None:
    async def test(router: Router) -> None:
        await router.job("before")
        start = await last_of(router)
        async with following(router) as (tail, woken):
            assert tail.after(start, 10) == []
            assert tail.after(start - 1, 10) is None
            for name in ("a", "b", "c"):
                await router.job(name)
            async with asyncio.timeout(15):
                while len(tail.after(start, 10) or []) < 3:
                    woken.clear()
                    await woken.wait()
            first, second, third = tail.after(start, 10) or []
            assert [first.previous, second.previous, third.previous] == [start, first.number, second.number]
            assert tail.after(first.number, 1) == [second]
            assert tail.after(third.number, 10) == []
        assert tail.after(start, 10) is None

    with_router(test)


def test_it_begins_where_nothing_is_kept_any_more(with_router: Run) -> None:
    async def test(router: Router) -> None:
        await router.job("a")
        last = await last_of(router)
        await router.store.ask(
            root_of(router.tenant), "XTRIM", f"{root_of(router.tenant)}:events", "MAXLEN", "0"
        )
        async with following(router) as (tail, _):
            assert tail.after(last, 10) == []
            assert tail.after(last - 1, 10) is None

    with_router(test)


def test_it_keeps_but_the_newest(with_router: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_ENTRIES", 2)

    async def test(router: Router) -> None:
        start = await last_of(router)
        async with following(router) as (tail, woken):
            for n in range(5):
                await router.job(f"job-{n}")
            last = await last_of(router)
            async with asyncio.timeout(15):
                while tail.after(last, 1) is None or not tail.after(last - 1, 1):
                    woken.clear()
                    await woken.wait()
            assert tail.after(start, 10) is None
            assert [entry.number for entry in tail.after(last - 2, 10) or []] == [last - 1, last]

    with_router(test)


def test_an_entry_that_is_missing_is_left_to_those_who_miss_it(with_router: Run) -> None:
    async def test(router: Router) -> None:
        await router.job("a")
        start = await last_of(router)
        async with following(router) as (tail, woken):
            assert tail.after(start, 10) == []
            key, frame = (
                f"{root_of(router.tenant)}:events",
                ("at", "1", "call", "x", "previous", str(start + 1)),
            )
            await router.store.ask(root_of(router.tenant), "XADD", key, f"{start + 2}-0", *frame)
            async with asyncio.timeout(15):
                while tail.after(start, 10) is not None:
                    await woken.wait()
                    woken.clear()

    with_router(test)


def test_what_nobody_has_foreseen_is_told_and_it_begins_anew(
    with_router: Run, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(unending, "PAUSE_SECONDS", 0.001)
    follow, times = module.follow, 0

    async def odd(*given: Any) -> Any:
        nonlocal times
        times += 1
        if times == 1:
            raise KeyError("odd")
        return await follow(*given)

    monkeypatch.setattr(module, "follow", odd)

    async def test(router: Router) -> None:
        start = await last_of(router)
        async with following(router) as (tail, woken):
            async with asyncio.timeout(15):
                while times < 2:
                    await woken.wait()
                    woken.clear()
            await router.job("a")
            async with asyncio.timeout(15):
                while not tail.after(start, 10):
                    await woken.wait()
                    woken.clear()

    with_router(test)
    assert [record.getMessage() for record in caplog.records if record.exc_info] == [
        "following the events for deliveries: failed, going on"
    ]


def test_a_dead_one_is_followed_by_another(with_router: Run) -> None:
    async def test(router: Router) -> None:
        async with endpoint(ok(b"")) as one, router.delivering() as deliveries:
            await router.subscribe("s", one.url)
            async with asyncio.timeout(15):
                while deliveries._following is None:
                    await asyncio.sleep(0.005)
            first = deliveries._following
            first.cancel()
            await asyncio.wait({first})
            deliveries.alarm_set()
            async with asyncio.timeout(15):
                while deliveries._following is first:
                    await asyncio.sleep(0.005)

    with_router(test)


def test_both_ways_of_reading_an_entry_give_the_same(with_router: Run) -> None:
    async def test(router: Router) -> None:
        await router.run(c.JobCreate(id="a", queue="q", channel="v", request_id="request"))
        await router.run(
            c.WorkerUpsert(id="w", capacity=1, available=True, queues='"q"', channels='"v"\t1\t')
        )
        await router.run(c.WorkerUpsert(id="w", doc=1, capacity=1))
        rows = (await router.run(c.EventList()))["rows"]
        stream = await router.store.ask(
            root_of(router.tenant), "XRANGE", f"{root_of(router.tenant)}:events", "-", "+"
        )
        entries = [entry_of(of_row(row)) for row in rows]
        assert entries == [entry_of(of_texts(*entry)) for entry in stream]
        lanes = {event.lane for entry in entries for event in entry.events}
        assert lanes == {"job:a", "worker:w"}
        assert [event.place for event in entries[0].events] == [
            f"{entries[0].number}.1",
            f"{entries[0].number}.2",
        ]

    with_router(test)
