"""The live feed by itself: who hears what, who keeps the read alive, what waits for whom."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import AbstractAsyncContextManager
from typing import Any

import pytest

from engine import following
from engine.commands import WorkerUpsert
from engine.errors import Unavailable
from engine.event_filters import EventFilters
from engine.feed import NAME, TAKEN_BYTES, Ended, Feeds, Listener
from engine.model import strings_text
from engine.outbox import Event
from engine.store import Store
from tests import support

Opener = Callable[[], AbstractAsyncContextManager[Store]]
EVERYTHING = EventFilters()


def run(work: Callable[[], Coroutine[Any, Any, None]]) -> None:
    asyncio.run(asyncio.wait_for(work(), support.PATIENCE_SECONDS))


async def heard(listener: Listener) -> list[str]:
    """What comes next: workers."""
    return [event.about.worker for event in await listener.next(support.PATIENCE_SECONDS)]


async def hear(listener: Listener, wanted: list[str]) -> None:
    """Takes events until so many have come; they must be these."""
    got: list[str] = []
    while len(got) < len(wanted):
        got += await heard(listener)
    assert got == wanted


async def make(store: Store, root: str, *names: str, queues: str = "") -> None:
    """Registers workers."""
    for name in names:
        lines = strings_text(queues.split())
        await store.run(root, WorkerUpsert(name, capacity=1, available=True, queues=lines))


async def readers(store: Store, root: str) -> int:
    text = await store.ask(root, "CLIENT", "LIST")
    return str(text).count(f"name={NAME} ")


def test_who_wants_what(open_store: Opener, server: support.Server, root: str) -> None:
    async def work() -> None:
        async with open_store() as store:
            feeds = Feeds(store)
            wishes = [
                (EVERYTHING, ["a", "b", "c"]),
                (EventFilters(workers=frozenset("a")), ["a"]),
                (EventFilters(workers=frozenset("ac")), ["a", "c"]),
                (EventFilters(workers=frozenset("b"), subject_ends="/b"), ["b"]),
                (EventFilters(jobs=frozenset("a")), []),
                (EventFilters(types=frozenset({"RouterJobQueued"})), []),
                (EventFilters(subject_begins="worker/c"), ["c"]),
                (EventFilters(queues=frozenset({"q1"})), ["a", "b"]),
                (EventFilters(queues=frozenset({"q1", "q2"})), ["a", "b"]),
                (EventFilters(queues=frozenset({"q2"}), workers=frozenset("a")), []),
                (EventFilters(queues=frozenset({"q3"})), []),
            ]
            listeners = []
            for filters, wanted in wishes * 2:
                listener = await feeds.join(root)
                listener.listen(filters)
                listeners.append((listener, wanted))
            await make(store, root, "a", queues="q1")
            await make(store, root, "b", queues="q1 q2")
            await make(store, root, "c")
            # the one that hears everything has heard the last
            await hear(listeners[0][0], ["a", "b", "c"])
            for listener, wanted in listeners[1:]:
                await hear(listener, wanted)
                assert await listener.next(0) == []
                assert listener.position == listeners[0][0].position
            await feeds.aclose()

    run(work)


def test_a_member_hears_nothing_before_it_listens(
    open_store: Opener, server: support.Server, root: str
) -> None:
    async def work() -> None:
        async with open_store() as store:
            feeds = Feeds(store)
            member, other = await feeds.join(root), await feeds.join(root)
            other.listen(EVERYTHING)
            await make(store, root, "a")
            await hear(other, ["a"])
            position = member.listen(EVERYTHING)
            assert position == other.position
            await make(store, root, "b")
            await hear(member, ["b"])
            await feeds.aclose()

    run(work)


def test_what_a_listener_has_had_does_not_come_again(
    open_store: Opener, server: support.Server, root: str
) -> None:
    async def work() -> None:
        async with open_store() as store:
            feeds = Feeds(store)
            listener = await feeds.join(root)
            op = (await store.run(root, WorkerUpsert("a", capacity=1)))["op"]
            # it has read ahead of the feed
            assert listener.listen(EVERYTHING, after=int(op) + 1) <= int(op)
            await make(store, root, "b", "c")
            await hear(listener, ["c"])
            await feeds.aclose()

    run(work)


def test_the_read_lives_as_long_as_members_do(open_store: Opener, server: support.Server, root: str) -> None:
    async def work() -> None:
        async with open_store() as store:
            feeds = Feeds(store)
            before = await readers(store, root)
            first, second = await feeds.join(root), await feeds.join(root)
            while await readers(store, root) != before + 1:
                pass
            first.leave()
            second.listen(EVERYTHING)
            await make(store, root, "a")
            await hear(second, ["a"])
            second.leave()
            second.leave()
            while await readers(store, root) != before:
                pass
            again = await feeds.join(root)
            again.listen(EVERYTHING)
            await make(store, root, "b")
            await hear(again, ["b"])
            await feeds.aclose()
            while await readers(store, root) != before:
                pass
            with pytest.raises(Ended, match="about to end"):
                await again.next(1)
            with pytest.raises(Unavailable, match="about to end"):
                await feeds.join(root)

    run(work)


def test_routers_do_not_hear_each_other(open_store: Opener, server: support.Server, root: str) -> None:
    async def work() -> None:
        async with open_store() as store:
            feeds = Feeds(store)
            other_root = root.replace("{", "{x")
            one, other = await feeds.join(root), await feeds.join(other_root)
            one.listen(EVERYTHING)
            other.listen(EVERYTHING)
            await make(store, root, "a")
            await make(store, other_root, "b")
            await hear(one, ["a"])
            await hear(other, ["b"])
            await feeds.aclose()

    run(work)


@pytest.mark.parametrize("room", [{"room": 2}, {"room_bytes": 1000}])
def test_who_is_too_slow_is_let_go_alone(
    open_store: Opener, server: support.Server, root: str, room: dict[str, int]
) -> None:
    async def work() -> None:
        async with open_store() as store:
            feeds = Feeds(store, **room)
            slow, quick = await feeds.join(root), await feeds.join(root)
            slow.listen(EVERYTHING)
            quick.listen(EVERYTHING)
            for name in "abc":
                await make(store, root, name)
                await hear(quick, [name])
            assert "too slow" in await slow.ended
            with pytest.raises(Ended, match="too slow"):
                await slow.next(1)
            await make(store, root, "d")
            await hear(quick, ["d"])
            await feeds.aclose()

    run(work)


def test_room_is_what_waits_now(open_store: Opener, server: support.Server, root: str) -> None:
    async def work() -> None:
        async with open_store() as store:
            # not even one event has room, which is taken all the same
            feeds = Feeds(store, room_bytes=1)
            listener = await feeds.join(root)
            listener.listen(EVERYTHING)
            for name in "abc":
                await make(store, root, name)
                await hear(listener, [name])
            await feeds.aclose()

    run(work)


def test_a_store_that_is_away(server: support.Server, root: str) -> None:
    async def work() -> None:
        nowhere = "unix:///nowhere"
        store = Store.at(nowhere)
        feeds = Feeds(store)
        joins = await asyncio.gather(*(feeds.join(root) for _ in range(3)), return_exceptions=True)
        assert all(isinstance(outcome, Unavailable) for outcome in joins)
        await feeds.aclose()
        await store.close()

    run(work)


def test_an_entry_that_cannot_be_read_lets_all_go(
    open_store: Opener,
    server: support.Server,
    root: str,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    def unreadable(*_: Any) -> None:
        raise ValueError("what is this?")

    async def work() -> None:
        async with open_store() as store:
            feeds = Feeds(store)
            listener = await feeds.join(root)
            listener.listen(EVERYTHING)
            with monkeypatch.context() as patch:
                patch.setattr(following, "of_stream", unreadable)
                await make(store, root, "a")
                assert "are missing" in await listener.ended
            # who comes next has a new read
            again = await feeds.join(root)
            again.listen(EVERYTHING)
            await make(store, root, "b")
            await hear(again, ["b"])
            await feeds.aclose()

    run(work)
    assert "what is this?" in caplog.text


def test_closing_while_somebody_joins(open_store: Opener, server: support.Server, root: str) -> None:
    async def work() -> None:
        async with open_store() as store:
            feeds = Feeds(store)
            joining = asyncio.create_task(feeds.join(root))
            await asyncio.sleep(0)
            await feeds.aclose()
            with pytest.raises(Unavailable, match="about to end"):
                await joining

    run(work)


def test_large_events_are_taken_a_few_at_a_time() -> None:
    async def work() -> None:
        class Silent:
            position = 0

            def add(self, listener: Listener) -> None: ...

            def remove(self, listener: Listener) -> None: ...

        listener = Listener(Silent(), 100)  # type: ignore[arg-type]
        listener.listen(EVERYTHING)
        for number in range(1, 6):
            listener.put(Event(number, 1, "RouterJobQueued", b"x" * (TAKEN_BYTES // 2)))
        listener.put(Event(6, 1, "RouterJobQueued", b"x" * TAKEN_BYTES * 3))
        taken = [[event.number for event in await listener.next(0)] for _ in range(4)]
        assert taken == [[1, 2], [3, 4], [5, 6], []]

    run(work)


def test_nobody_is_left_with_a_read_that_is_over(open_store: Opener, root: str) -> None:
    """Whatever has ended it: its listeners connect again."""

    async def work() -> None:
        async with open_store() as store:
            feeds = Feeds(store)
            listener = await feeds.join(root)
            listener.listen(EVERYTHING)
            joining = [asyncio.create_task(feeds.join(root + "other")) for _ in range(2)]
            await asyncio.sleep(0)
            for task in tuple(feeds._tasks):
                task.cancel()
            with pytest.raises(Ended):
                await listener.next(support.PATIENCE_SECONDS)
            for outcome in await asyncio.gather(*joining, return_exceptions=True):
                assert isinstance(outcome, Unavailable)
            again = await feeds.join(root)
            again.listen(EVERYTHING)
            await make(store, root, "a")
            await hear(again, ["a"])
            await feeds.aclose()

    run(work)
