"""Events that were given up: kept within bounds, listed, delivered once more."""

from __future__ import annotations

import json

import pytest

from engine import commands as c
from engine.errors import Refused
from tests.deliveries.story import Story
from tests.support import SyncStore

A = "job:a"


@pytest.fixture
def story(store: SyncStore, root: str) -> Story:
    """A subscription ``s`` to the events of job a, taken by ``h`` with token ``story.token``."""
    it = Story(store, root)
    it.agreed("s", after=0)
    it.entry = it.job("a")  # type: ignore[attr-defined]
    it.token = it.take()  # type: ignore[attr-defined]
    return it


def place(story: Story, k: int) -> str:
    return f"{story.entry}.{k}"  # type: ignore[attr-defined]


def give_up(story: Story, *numbers: int) -> None:
    """Events by their numbers in the entry; 1 and 2 are there."""
    story.commit(story.token, dead=[(A, place(story, k), f"facts {k}") for k in numbers])  # type: ignore[attr-defined]


def test_they_are_listed_oldest_first_page_by_page(story: Story) -> None:
    give_up(story, 1)
    story.now = 5
    give_up(story, 2, 1)
    assert [row["facts"] for row in story.letters()] == ["facts 1", "facts 2", "facts 1"]
    page = story.run(c.DeadLetterList("s", limit=2))
    rest = story.run(c.DeadLetterList("s", page["next"], 2))
    assert [len(page["rows"]), len(rest["rows"]), rest["next"]] == [2, 1, ""]
    assert json.loads(rest["rows"][0]["event"])["eventType"].endswith("RouterJobReceived")


def test_the_oldest_go_when_there_are_too_many(story: Story) -> None:
    story.run(c.SettingsWrite(keep_dead_letters_count=2))
    give_up(story, 1)
    give_up(story, 2, 1, 2)
    assert [row["facts"] for row in story.letters()] == ["facts 1", "facts 2"]
    assert story.read().dead == 2


def test_they_go_when_they_are_too_old(story: Story) -> None:
    story.run(c.SettingsWrite(keep_dead_letters_ms=1_000))
    give_up(story, 1)
    story.now = 999
    give_up(story, 2)
    story.now = 1_000
    story.claim("h")
    assert [row["facts"] for row in story.letters()] == ["facts 2"]


def test_a_replay_delivers_them_once_more(story: Story) -> None:
    give_up(story, 1, 2)
    reply = story.run(c.DeadLetterReplay("s"))
    assert (reply["replayed"], reply["next"], story.letters()) == (2, "", [])
    assert story.due() == [(A, place(story, 1), "")]
    assert story.read().dead == 0
    story.commit(story.token, done=[(A, place(story, 1))])  # type: ignore[attr-defined]
    assert story.due() == [(A, place(story, 2), "")]
    story.commit(story.token, done=[(A, place(story, 2))])  # type: ignore[attr-defined]
    assert story.due() == []


def test_also_when_the_outbox_has_them_no_more(story: Story) -> None:
    give_up(story, 1)
    story.redis.xtrim(f"{story.root}:events", maxlen=0, approximate=False)
    story.run(c.DeadLetterReplay("s"))
    (row,) = story.run(c.SubscriptionDue("s"))["rows"]
    assert json.loads(row["payload"])["eventType"].endswith("RouterJobReceived")
    give_up(story, 1)
    assert json.loads(story.letters()[0]["event"])["eventType"].endswith("RouterJobReceived")


def test_a_replay_may_name_them(story: Story) -> None:
    give_up(story, 1, 2)
    first, second = (row["id"] for row in story.letters())
    assert story.run(c.DeadLetterReplay("s", [second, "1-1"]))["replayed"] == 1
    assert [row["id"] for row in story.letters()] == [first]
    assert story.due() == [(A, place(story, 2), "")]


def test_a_replay_may_end_at_one(story: Story) -> None:
    give_up(story, 1, 2)
    first, second = (row["id"] for row in story.letters())
    assert story.run(c.DeadLetterReplay("s", last=first))["replayed"] == 1
    assert story.run(c.DeadLetterReplay("s", after=second))["replayed"] == 0
    assert [row["id"] for row in story.letters()] == [second]


def test_a_replay_goes_portion_by_portion(story: Story) -> None:
    for _ in range(2):
        give_up(story, *[1, 2, 1] * 25)
    reply = story.run(c.DeadLetterReplay("s"))
    assert (reply["replayed"], len(story.letters())) == (100, 50)
    reply = story.run(c.DeadLetterReplay("s", after=reply["next"]))
    assert (reply["replayed"], reply["next"], story.letters()) == (50, "", [])


def test_what_tells_of_lost_events_is_not_replayed(story: Story) -> None:
    story.redis.xtrim(f"{story.root}:events", maxlen=0, approximate=False)
    story.commit(story.token, lost=True)  # type: ignore[attr-defined]
    assert story.run(c.DeadLetterReplay("s"))["replayed"] == 0
    assert len(story.letters()) == 1


def test_a_replay_is_refused_while_too_many_wait(story: Story) -> None:
    story.run(c.SettingsWrite(parked_events=1))
    give_up(story, 1)
    story.commit(story.token, failed=[(A, place(story, 2), 1_000, "")])  # type: ignore[attr-defined]
    with pytest.raises(Refused, match="LIMIT"):
        story.run(c.DeadLetterReplay("s"))
    assert len(story.letters()) == 1


def test_deleting_the_subscription_removes_all(story: Story) -> None:
    give_up(story, 1)
    story.commit(story.token, failed=[(A, place(story, 2), 1_000, "")])  # type: ignore[attr-defined]
    story.run(c.SubscriptionDelete("s"))
    kept = [key for key in story.redis.scan_iter(match=f"{story.root}:*") if key.endswith(":s")]
    assert kept == []


@pytest.mark.parametrize(
    ("code", "wrong"),
    [
        ("NOT_FOUND", c.DeadLetterList("none")),
        ("NOT_FOUND", c.DeadLetterReplay("none")),
        ("BAD_CALL", c.DeadLetterList("s", "x")),
        ("BAD_CALL", c.DeadLetterList("s", limit=0)),
        ("BAD_CALL", c.DeadLetterList("s", limit=1_001)),
        ("BAD_CALL", c.DeadLetterReplay("s", ["+"])),
        ("BAD_CALL", c.DeadLetterReplay("s", ["1-1"] * 101)),
        ("BAD_CALL", c.DeadLetterReplay("s", last="+")),
        ("BAD_CALL", c.DeadLetterReplay("s", after="(1-1")),
    ],
    ids=str,
)
def test_what_is_wrong_is_refused(story: Story, code: str, wrong: c.Command) -> None:
    with pytest.raises(Refused, match=code):
        story.run(wrong)
