"""Queues and workers as they stand."""

from __future__ import annotations

from engine import commands as c
from tests.stories.router import START, Router, wants


def queue(router: Router) -> dict[str, object]:
    (row,) = (row for row in router.run(c.QueueOverview())["rows"] if row["id"] == "q")
    return dict(row)


def test_queue_overview_counts_by_priority_whoever_is_expedited(router: Router) -> None:
    router.job("j1", priority=5)
    router.job("j2", priority=5, selectors=[wants("x", "=", 1, expedite=True, seconds=60)])
    router.job("j3")
    row = queue(router)
    assert (row["length"], row["priorities"]) == (3, [5, 2, 1, 1])


def test_queue_overview_tells_what_nobody_could_take(router: Router) -> None:
    router.worker("w1", labels={"lang": "en"})
    router.job("busy")
    router.accept("w1", "busy")
    router.job("j1", selectors=[wants("lang", "=", "en")])
    router.job("j2", selectors=[wants("lang", "=", "fr")])
    router.job("j3", selectors=[wants("Id", "=", "w1")])
    router.job("j4", selectors=[wants("Id", "=", "w2")])
    row = queue(router)
    assert (row["looked"], row["unmatchable"], row["workers"]) == (4, 2, 1)


def test_queue_overview_counts_who_is_active(router: Router) -> None:
    """In whichever class, free or not; who signs off finishes what it has, and is no more of those."""
    router.queue("other")
    router.worker("w1", queues=["q", "other"])
    router.worker("w2", labels={"lang": "en"}, capacity=2)
    router.worker("w3", available=False)
    router.worker("w4", queues=["other"])
    router.job("j1", selectors=[wants("Id", "=", "w2")])
    router.accept("w2", "j1")
    assert (queue(router)["workers"], queue(router)["active"]) == (3, 2)
    router.worker("w2", available=False)
    assert (queue(router)["workers"], queue(router)["active"]) == (3, 1)


def test_queue_overview_of_too_many_classes(router: Router) -> None:
    for n in range(513):
        command = c.WorkerUpsert(
            f"w{n}", capacity=1, available=True, queues='"q"', channels='"voice"\t1\t', labels=f'"n":{n}'
        )
        router.pair.store.run(command, START)
        if n in (511, 512):
            (row,) = (
                row for row in router.pair.store.run(c.QueueOverview(), START)["rows"] if row["id"] == "q"
            )
            assert (row["workers"], row["active"]) == (n + 1, 512 if n == 511 else -1)


def test_queue_overview_in_pages(router: Router) -> None:
    router.queue("other")
    first = router.run(c.QueueOverview(limit=1))
    rest = router.run(c.QueueOverview(limit=100, cursor=first["next"]))
    assert len(first["rows"]) == 1
    assert rest["next"] == 0
    assert first["rows"][0]["id"] not in {row["id"] for row in rest["rows"]}


def test_worker_overview_shows_open_offers_and_since_when(router: Router) -> None:
    router.worker("w1")
    router.at(1_000)
    router.job("j1")
    (row,) = router.run(c.WorkerOverview())["rows"]
    assert (row["state"], int(row["since_ms"])) == ("active", START + 1_000)
    assert row["offers"][0][2:4] == ["job", "j1"]
    router.accept("w1", "j1")
    (row,) = router.run(c.WorkerOverview())["rows"]
    assert (row["offers"], row["assignments"][0][2:4]) == ([], ["job", "j1"])
