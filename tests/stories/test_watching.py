"""What those who measure ask of the store: the load of a queue by channel, and who counts the outbox."""

from __future__ import annotations

from typing import Any

import pytest

from engine import commands as c
from engine.errors import Refused
from tests.stories.router import START, Router

# ---- load --------------------------------------------------------------------------------------------------


def load(router: Router, queue: str = "q") -> dict[str, tuple[int, int]]:
    reply: Any = router.run(c.QueueLoad(queue))
    return {row["channel"]: (int(row["jobs"]), int(row["workers"])) for row in reply["rows"]}


def test_load_of_an_empty_queue(router: Router) -> None:
    assert load(router) == {}
    with pytest.raises(Refused, match="not found"):
        load(router, "nobody")


def test_load_counts_waiting_jobs_and_workers_with_room_by_channel(router: Router) -> None:
    router.worker("w1", capacity=2, channels={"voice": 2, "chat": 1})
    router.worker("w2", capacity=2, channels={"chat": (1, 1)}, labels={"A": 1})
    router.worker("w3", available=False, channels={"chat": 1})
    assert load(router) == {"voice": (0, 1), "chat": (0, 2)}
    router.job("j1", channel="chat")
    # the offer takes half of the first worker: there is room for a chat, but for no call
    assert load(router) == {"voice": (0, 0), "chat": (1, 2)}
    router.job("j2", channel="chat")
    router.job("j3", channel="voice")
    assert load(router) == {"voice": (1, 0), "chat": (2, 1)}
    router.job("j4", channel="fax", mode="suspend")
    assert "fax" not in load(router)


def test_load_goes_slice_by_slice(router: Router) -> None:
    for n in range(251):
        router.pair.store.run(c.JobCreate(f"j{n}", channel="chat" if n else "voice", queue="q"), START)
    store = router.pair.store
    first: Any = store.run(c.QueueLoad("q", 0, ""), START)
    assert [int(first[name]) for name in ("length", "next_jobs")] == [251, 250]
    assert [(row["channel"], row["jobs"]) for row in first["rows"]] == [("chat", 249), ("voice", 1)]
    second: Any = store.run(c.QueueLoad("q", 250, ""), START)
    assert second["next_jobs"] == -1
    assert [(row["channel"], row["jobs"]) for row in second["rows"]] == [("chat", 1)]
    assert store.run(c.QueueLoad("q", -1, ""), START)["rows"] == []


def test_load_looks_at_many_classes_in_slices(router: Router) -> None:
    """Every distinct set of labels is a class of its own."""
    store = router.pair.store
    for n in range(300):
        worker = c.WorkerUpsert(
            f"w{n}", capacity=1, available=True, queues='"q"', channels='"voice"\t1\t', labels=f'"N":{n}'
        )
        store.run(worker, START)
    cursor, counted, calls = "0", 0, 0
    while cursor:
        reply: Any = store.run(c.QueueLoad("q", -1, cursor), START)
        counted += sum(int(row["workers"]) for row in reply["rows"])
        cursor, calls = reply["next_classes"], calls + 1
    assert counted == 300
    assert calls > 1


# ---- who counts --------------------------------------------------------------------------------------------


def lease(router: Router, holder: str, ms: int = 1_000, seen: int = 0) -> tuple[int, int, int, int]:
    reply: Any = router.run(c.ObserverLease(holder, ms, seen))
    return reply["held"], reply["fresh"], reply["seen"], reply["last"]


def test_the_first_observer_begins_with_what_comes(router: Router) -> None:
    router.job("j1")
    held, fresh, seen, last = lease(router, "a")
    assert (held, fresh) == (1, 1)
    assert seen == last > 0


def test_one_observer_at_a_time(router: Router) -> None:
    start = lease(router, "a")[3]
    router.job("j1")
    assert lease(router, "b")[0] == 0
    held, fresh, seen, last = lease(router, "a", seen=last_entry(router))
    assert (held, fresh) == (1, 0)
    assert seen == last > start


def test_the_next_observer_goes_on_where_the_last_was(router: Router) -> None:
    start = lease(router, "a")[2]
    router.job("j1")
    router.at(1_000)
    assert lease(router, "b", seen=10**6) == (1, 1, start, last_entry(router))
    assert lease(router, "a", seen=10**6)[0] == 0


def test_an_observer_gives_up_its_place(router: Router) -> None:
    lease(router, "a")
    router.job("j1")
    last = last_entry(router)
    assert lease(router, "a", ms=0, seen=last) == (1, 0, last, last)
    assert lease(router, "b") == (1, 1, last, last)
    # the first comes back: it had not counted what the other has
    router.job("j2")
    lease(router, "b", ms=0, seen=last_entry(router))
    assert lease(router, "a", seen=last)[1:3] == (1, last_entry(router))


def test_no_observer_is_ahead_of_the_outbox(router: Router) -> None:
    """As when an older copy of the store was restored."""
    lease(router, "a")
    router.redis.hset(f"{router.root}:observer", "seen", 10**9)
    assert router.pair.store.run(c.ObserverLease("a", 1_000), START)["seen"] == last_entry(router)


# ---- how much may be asked ---------------------------------------------------------------------------------


def granted(router: Router, wanted: int, limit: int = 10, window_ms: int = 1_000) -> tuple[int, int]:
    reply: Any = router.run(c.AllowanceLease(wanted, limit, window_ms))
    return reply["granted"], reply["wait_ms"]


def test_a_bucket_is_full_at_first_and_fills_again(router: Router) -> None:
    assert granted(router, 7) == (7, 0)
    assert granted(router, 7) == (3, 100)
    router.at(99)
    assert granted(router, 1) == (0, 1)
    router.at(100)
    assert granted(router, 5) == (1, 100)
    router.at(10_000)
    assert granted(router, 10) == (10, 100)


def test_a_bucket_that_is_smaller_now_is_not_emptier_than_empty(router: Router) -> None:
    assert granted(router, 10, 10, 60_000)[0] == 10
    router.at(1)
    assert granted(router, 1, 10, 1_000) == (0, 100)
    router.at(101)
    assert granted(router, 1, 10, 1_000)[0] == 1


def last_entry(router: Router) -> int:
    return int(router.run(c.EventList(limit=1))["last"])
