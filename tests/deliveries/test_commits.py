"""What a deliverer writes down: the cursor, events that wait for another try, events that are given up."""

from __future__ import annotations

import json
from typing import Any

import pytest

from engine import commands as c
from engine.errors import Refused
from tests.deliveries.story import LEASE, Story
from tests.support import SyncStore

A, B = "job:a", "job:b"


@pytest.fixture
def story(store: SyncStore, root: str) -> Story:
    """A subscription ``s`` to three entries of two events each."""
    it = Story(store, root)
    it.agreed("s", after=0)
    it.entries = [it.job(name) for name in ("a", "b", "c")]  # type: ignore[attr-defined]
    return it


@pytest.fixture
def places(story: Story) -> list[str]:
    """The places of all events."""
    return [f"{entry}.{k}" for entry in story.entries for k in (1, 2)]  # type: ignore[attr-defined]


def test_the_cursor_and_what_is_ahead_of_it_are_handed_on(story: Story, places: list[str]) -> None:
    first = int(places[0].partition(".")[0])
    story.commit(story.take("a"), first, ahead=f"{places[3]} {places[4]}", delivered=3)
    story.now = LEASE
    row = story.claim("b")["s"]
    assert (int(row["cursor"]), row["ahead"].split()) == (first, places[3:5])
    assert (story.read().cursor, story.read().delivered) == (first, 3)


def test_the_cursor_never_goes_back(story: Story, places: list[str]) -> None:
    token = story.take()
    last = int(places[-1].partition(".")[0])
    story.commit(token, last)
    assert story.commit(token, 1)["cursor"] == last


def test_a_commit_that_comes_twice_counts_once(story: Story, places: list[str]) -> None:
    token = story.take()
    change: dict[str, Any] = {"dead": [(A, places[0], "{}")], "delivered": 1}
    for _ in range(3):
        assert story.commit(token, number=1, **change)["outcome"] == "done"
    assert (len(story.letters()), story.read().delivered) == (1, 1)
    for number in (0, 3):
        with pytest.raises(Refused, match="BAD_CALL number"):
            story.commit(token, number=number)


def test_a_failed_event_waits_and_the_next_of_its_lane_behind_it(story: Story, places: list[str]) -> None:
    token = story.take()
    reply = story.commit(
        token, failed=[(A, places[0], 10_000, "one")], parked=[(A, places[1])], error="status 500"
    )
    assert (reply["due_in"], reply["room"], reply["empty"]) == (10_000, 9_998, [])
    assert (story.read().parked, story.read().last_error) == (2, "status 500")
    story.now = 9_999
    assert story.due() == []
    story.now = 10_000
    assert story.due() == [(A, places[0], "one")]
    assert story.commit(token, failed=[(A, places[0], 30_000, "two")])["due_in"] == 30_000
    story.now = 40_000
    assert story.due() == [(A, places[0], "two")]


def test_when_it_arrives_the_next_follows_at_once(story: Story, places: list[str]) -> None:
    token = story.take()
    story.commit(token, failed=[(A, places[0], 10_000, "one")], parked=[(A, places[1])])
    story.now = 10_000
    reply = story.commit(token, done=[(A, places[0])])
    assert (reply["empty"], reply["due_in"]) == ([], 0)
    assert story.due() == [(A, places[1], "")]
    reply = story.commit(token, done=[(A, places[1])])
    assert (reply["empty"], reply["due_in"], reply["room"]) == ([A], -1, 10_000)


def test_when_it_is_given_up_the_next_follows_at_once(story: Story, places: list[str]) -> None:
    token = story.take()
    story.commit(token, failed=[(A, places[0], 10_000, "one")], parked=[(A, places[1])])
    assert story.commit(token, dead=[(A, places[0], "facts")])["due_in"] == 0
    assert story.due() == [(A, places[1], "")]
    (letter,) = story.letters()
    assert (letter["lane"], letter["place"], letter["facts"]) == (A, places[0], "facts")
    assert json.loads(letter["event"])["data"]["jobId"] == "a"


def test_lanes_wait_for_themselves(story: Story, places: list[str]) -> None:
    token = story.take()
    story.commit(token, failed=[(A, places[0], 10_000, "a"), (B, places[2], 20_000, "b")])
    story.now = 10_000
    assert story.due() == [(A, places[0], "a")]
    story.now = 20_000
    assert [lane for lane, _, _ in story.due()] == [A, B]
    assert [lane for lane, _, _ in story.due(limit=1)] == [A]


def test_an_event_that_is_set_aside_and_arrives_in_one_commit_waits_no_more(
    story: Story, places: list[str]
) -> None:
    token = story.take()
    reply = story.commit(token, failed=[(A, places[0], 60_000, "")], done=[(A, places[0])])
    assert (reply["empty"], reply["due_in"]) == ([A], -1)


def test_events_of_a_lane_are_tried_in_the_order_of_their_places(story: Story, places: list[str]) -> None:
    token = story.take()
    late = [places[5], places[5][:-1] + "10", f"{story.job('d')}.1"]
    story.commit(token, failed=[(A, places[3], 0, "")], parked=[(A, place) for place in reversed(late)])
    seen = []
    while due := story.due():
        seen.append(due[0][1])
        story.commit(token, done=[due[0][:2]])
    assert seen == [places[3], *late]


def test_the_lanes_that_wait_can_be_read_page_by_page(story: Story, places: list[str]) -> None:
    token = story.take()
    lanes = {f"job:{n}" for n in range(300)}
    story.commit(token, failed=[(lane, places[0], 1_000, "") for lane in sorted(lanes)])
    seen, cursor = set(), "0"
    while True:
        page = story.run(c.SubscriptionLanes("s", cursor, 50))
        seen |= set(page["lanes"])
        if (cursor := page["next"]) == "0":
            break
    assert seen == lanes


def test_beyond_its_bound_it_is_failing_until_there_is_room(story: Story, places: list[str]) -> None:
    story.run(c.SettingsWrite(parked_events=3))
    token = story.take()
    reply = story.commit(token, failed=[(A, places[0], 1_000, "")], parked=[(A, places[1])])
    assert (reply["room"], story.status()) == (1, "enabled")
    reply = story.commit(token, failed=[(B, places[2], 1_000, "")], parked=[(B, places[3])])
    assert (reply["room"], story.status()) == (0, "failing")
    story.commit(token, done=[(A, places[0])])
    assert story.status() == "failing"
    story.commit(token, done=[(A, places[1])])
    assert story.status() == "enabled"


def test_a_cursor_behind_the_oldest_entry_is_lagged_and_goes_on_there(
    story: Story, places: list[str]
) -> None:
    entries = [int(place.partition(".")[0]) for place in places[::2]]
    story.redis.xdel(f"{story.root}:events", *(f"{entry}-0" for entry in entries[:2]))
    token = story.take()
    assert story.commit(token, entries[0], lost=True)["cursor"] == entries[1]
    assert story.status() == "lagged"
    (letter,) = story.letters()
    assert (letter["first"], letter["last"]) == (f"{entries[0] + 1}-0", f"{entries[1]}-0")
    assert story.commit(token, entries[1], lost=True)["cursor"] == entries[1]
    assert len(story.letters()) == 1


def test_it_is_lagged_too_when_nothing_is_kept(story: Story, places: list[str]) -> None:
    story.redis.xtrim(f"{story.root}:events", maxlen=0, approximate=False)
    last = int(places[-1].partition(".")[0])
    assert story.commit(story.take(), 0, lost=True)["cursor"] == last
    assert story.letters()[0]["last"] == f"{last}-0"


def test_it_is_lagged_for_as_long_as_a_dead_letter_tells_of_it(story: Story, places: list[str]) -> None:
    story.run(c.SettingsWrite(keep_dead_letters_ms=60_000))
    story.redis.xtrim(f"{story.root}:events", maxlen=0, approximate=False)
    token = story.take()
    story.commit(token, lost=True)
    story.now = 60_000
    story.commit(token)
    assert story.status() == "lagged"
    story.now = 60_001
    story.commit(token)
    assert story.status() == "enabled"


def test_events_that_wait_may_be_lost_as_well(story: Story, places: list[str]) -> None:
    token = story.take()
    story.commit(
        token, failed=[(A, places[0], 0, "x")], parked=[(A, places[1]), (A, places[2]), (A, places[4])]
    )
    kept = int(places[4].partition(".")[0])
    story.redis.xtrim(f"{story.root}:events", minid=f"{kept}-0", approximate=False)
    (row,) = story.run(c.SubscriptionDue("s"))["rows"]
    assert (row["place"], row["payload"]) == (places[0], "")
    assert story.commit(token, gone=[(A,)])["empty"] == []
    (letter,) = story.letters()
    assert (letter["first"], letter["last"]) == (places[0], places[2])
    assert story.due() == [(A, places[4], "")]
    assert story.status() == "lagged"


@pytest.mark.parametrize(
    "changes",
    [
        "",
        "x",
        "[1]",
        '{"more":[]}',
        '{"done":1}',
        '{"done":[1]}',
        '{"done":[["a"]]}',
        '{"done":[["a","1.1","x"]]}',
        '{"done":[["a",1]]}',
        '{"done":[["a","1"]]}',
        '{"done":[["a","1.1.1"]]}',
        '{"done":[["a","x.1"]]}',
        '{"done":[["a\\u0000b","1.1"]]}',
        '{"failed":[["a","1.1","x",""]]}',
        '{"failed":[["a","1.1",-1,""]]}',
        '{"failed":[["a","1.1",1.5,""]]}',
        '{"failed":[["a","1.1",1,1]]}',
        '{"dead":[["a","1.1"]]}',
        '{"lost":["a"]}',
        json.dumps({"done": [["a", "1.1"]] * 513}),
        json.dumps({"dead": [["a", "1.1", ""]] * 129}),
    ],
)
def test_malformed_changes_are_refused(story: Story, changes: str) -> None:
    token = story.take()
    before = story.read()
    with pytest.raises(Refused, match="BAD_CALL"):
        story.run(c.SubscriptionCommit("s", token, 1, 0, changes=changes))
    assert story.read() == before


def test_a_cursor_ahead_of_all_entries_is_refused(story: Story) -> None:
    with pytest.raises(Refused, match="BAD_CALL cursor"):
        story.commit(story.take(), 10**6)


@pytest.mark.parametrize(
    "wrong",
    [
        c.SubscriptionDue("s", 0),
        c.SubscriptionDue("s", 1_001),
        c.SubscriptionLanes("s", "x"),
        c.SubscriptionLanes("s", ""),
        c.SubscriptionLanes("s", "0", 0),
        c.SubscriptionLanes("s", "0", 1_001),
    ],
    ids=str,
)
def test_pages_have_their_bounds(story: Story, wrong: c.Command) -> None:
    with pytest.raises(Refused, match="BAD_CALL"):
        story.run(wrong)
