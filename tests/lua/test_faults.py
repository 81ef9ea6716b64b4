"""Faults of the library: what was due is not lost, the others go on, and the numbers of calls stay sound."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from engine import commands as c
from engine.errors import Failed
from engine.library import lua_directory
from tests.stories.router import START
from tests.twin.store import Store, private_client

ROOT = "jr:{faulty}"
MINUTE, DAY = 60_000, 86_400_000
CLOSE_AT = START + MINUTE


@pytest.fixture(name="store")
def _store(tmp_path: Path) -> Iterator[Store]:
    """A router whose library stumbles over jobs that are called ``bad`` when they are to be closed."""
    folder = tmp_path / "lua"
    shutil.copytree(lua_directory(), folder)
    path = folder / "jobs" / "assignments.lua"
    text, begin = path.read_text(), "function assignments.close_due(job_id)"
    assert text.count(begin) == 1
    path.write_text(text.replace(begin, f'{begin}\n  if job_id == "bad" then\n    error("odd")\n  end'))
    with private_client(folder) as client:
        store = Store(client, ROOT)
        store.run(c.PolicyUpsert("distribution", "p", expires_ms=DAY, mode="longestIdle"), START)
        store.run(c.QueueUpsert(id="q", distribution="p"), START)
        yield store


def to_be_closed(store: Store, job: str) -> None:
    """A job that is completed, and closes by itself at CLOSE_AT."""
    store.run(
        c.WorkerUpsert(
            id=job, capacity=1, available=True, queues='"q"', channels='"voice"\t1\t', labels=f'"job":"{job}"'
        ),
        START,
    )
    store.run(c.JobCreate(id=job, channel="voice", queue="q", selectors=f'"job"\t=\t"{job}"\t\t0\t'), START)
    offer = str(store.run(c.JobRead(job), START)["offers"])[:36]
    assignment = str(store.run(c.OfferAccept(job, offer), START)["assignment"])
    store.run(c.AssignmentComplete(job, assignment), START)
    store.run(c.AssignmentClose(job, assignment, close_at=CLOSE_AT), START)


def status(store: Store, job: str) -> str:
    return str(store.run(c.JobRead(job), START)["status"])


def test_what_is_due_and_fails_is_tried_again_and_holds_up_nobody(store: Store) -> None:
    for job in ("a", "bad", "c"):
        to_be_closed(store, job)
    with pytest.raises(Failed, match="odd"):
        store.run(c.AgendaDue(), CLOSE_AT)
    assert [status(store, job) for job in ("a", "bad", "c")] == ["closed", "completed", "completed"]
    # the number of what was done before it is used up, and so is nobody's
    store.run(c.AgendaDue(), CLOSE_AT)
    assert [status(store, job) for job in ("a", "bad", "c")] == ["closed", "completed", "closed"]
    assert not store.run(c.AgendaDue(), CLOSE_AT + MINUTE - 1)["done"]
    with pytest.raises(Failed, match="odd"):
        store.run(c.AgendaDue(), CLOSE_AT + MINUTE)
    numbers = [str(number) for number, _ in store.redis.xrange(f"{ROOT}:events")]
    assert len(set(numbers)) == len(numbers)
    ids = [f"{kind}:{name}" for kind in ("job", "worker") for name in ("a", "bad", "c")]
    problems = store.run(c.Check(ids=[*ids, "queue:q"]), CLOSE_AT + MINUTE)["problems"]
    assert problems == ["job bad closes at another time"]


def test_a_damaged_entity_stops_no_check(store: Store) -> None:
    for job in ("a", "b"):
        to_be_closed(store, job)
    store.redis.hdel(f"{ROOT}:worker:a", "epoch")
    store.redis.zadd(f"{ROOT}:worker.declined:a", {"j": 1})
    store.redis.hdel(f"{ROOT}:worker:b", "available")
    problems = store.run(c.Check(ids=["worker:a", "worker:b"]), START)["problems"]
    assert any("worker:a cannot be checked" in problem for problem in problems)
    assert any(problem.startswith("worker b is active") for problem in problems)


def test_a_worker_of_whom_only_lists_know_is_found(store: Store) -> None:
    to_be_closed(store, "a")
    store.redis.zadd(f"{ROOT}:workers", {"ghost": 1})
    store.redis.zadd(f"{ROOT}:queue.workers:q", {"ghost": 1})
    problems = store.run(c.Check(ids=["worker:ghost", "queue:q"]), START)["problems"]
    assert problems == ["worker ghost is gone but listed", "queue q lists worker ghost which is gone"]
    rows = store.run(c.WorkerOverview(), START)["rows"]
    assert [row["id"] for row in rows] == ["a"]
