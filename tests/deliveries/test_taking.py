"""Who delivers to which subscription: leases, shares, and what is left of a former holder."""

from __future__ import annotations

import pytest

from engine import commands as c
from engine.errors import Refused
from tests.deliveries.story import LEASE, Story
from tests.support import SyncStore


@pytest.fixture
def story(store: SyncStore, root: str) -> Story:
    return Story(store, root)


def test_what_delivers_is_taken_with_all_that_is_needed(story: Story) -> None:
    last = story.job("j1")
    story.agreed("s", url="https://hooks.example.com/?code=x")
    story.subscribe("asked")
    row = story.claim("a")["s"]
    assert (row["cursor"], row["document"][:8], int(row["room"]), row["due_in"]) == (
        str(last),
        '{"url":"',
        10_000,
        -1,
    )
    assert "code=x" in row["secret"]
    assert story.held("a") == ["s"]
    assert "s" not in story.claim("a")


def test_a_lease_that_is_renewed_keeps_what_was_taken(story: Story) -> None:
    story.agreed("s")
    story.take("a")
    for time in range(1_000, 10_000, 1_000):
        story.now = time
        assert "s" not in story.claim("b")
        story.claim("a")
    assert (story.held("a"), story.held("b")) == (["s"], [])


def test_others_take_what_a_dead_one_has_left(story: Story) -> None:
    story.agreed("s")
    token = story.take("a")
    story.now = LEASE - 1
    assert "s" not in story.claim("b")
    story.now = LEASE
    assert int(story.claim("b")["s"]["token"]) > token
    assert (story.held("a"), story.held("b")) == ([], ["s"])


def test_a_commit_of_a_former_holder_changes_nothing(story: Story) -> None:
    entry = story.job("j1")
    story.agreed("s", after=0)
    old = story.take("a")
    assert story.commit(old, 0, failed=[("job:j1", f"{entry}.1", 1_000, "{}")])["outcome"] == "done"
    story.now = LEASE
    new = story.take("b")
    before = story.read()
    reply = story.commit(old, entry, delivered=5, done=[("job:j1", f"{entry}.1")])
    assert reply["outcome"] == "outdated"
    assert story.read() == before
    assert story.due() == [("job:j1", f"{entry}.1", "{}")]
    assert story.commit(new, entry, done=[("job:j1", f"{entry}.1")])["outcome"] == "done"


def test_a_commit_of_an_expired_lease_counts_until_another_takes_over(story: Story) -> None:
    entry = story.job("j1")
    story.agreed("s", after=0)
    token = story.take("a")
    story.now = 10 * LEASE
    assert story.commit(token, entry)["outcome"] == "done"


def test_one_that_was_late_keeps_what_nobody_has_taken(story: Story) -> None:
    entry = story.job("j1")
    story.agreed("s", after=0)
    token = story.take("a")
    story.now = 10 * LEASE
    assert "s" not in story.claim("a")
    assert story.commit(token, entry)["outcome"] == "done"


def test_all_have_about_the_same(story: Story) -> None:
    names = [f"s{n}" for n in range(7)]
    story.agreed(*names)
    assert (story.claim("a")["held"], story.held("a")) == (7, names)
    assert story.claim("b") == {"share": 4, "held": 0}
    reply = story.claim("a")
    assert (reply["share"], reply["held"]) == (4, 7)
    story.run(c.SubscriptionRelease("a", names[4:]))
    assert story.claim("b")["held"] == 3
    assert story.claim("a") == {"share": 4, "held": 4}


def test_a_dead_one_does_not_count_among_those_who_share(story: Story) -> None:
    story.agreed("s1", "s2")
    story.claim("dead", 0)
    story.now = LEASE
    assert story.claim("a")["share"] == 2


def test_a_clean_end_frees_all_at_once(story: Story) -> None:
    story.agreed("s1", "s2")
    story.claim("a")
    reply = story.run(c.SubscriptionRelease("a", leaves=True))
    assert (reply["freed"], reply["left"]) == (2, 0)
    story.claim("b")
    assert story.held("b") == ["s1", "s2"]


def test_more_than_a_portion_is_given_back_portion_by_portion(story: Story) -> None:
    names = [f"s{n:03}" for n in range(150)]
    for name in names:
        text = '{"url":"https://a/"}'
        upsert = c.SubscriptionUpsert(name, target="t", document=text, secret=text, code="c" * 16)
        story.store.run(story.root, upsert)
        story.store.run(story.root, c.SubscriptionConfirm(name, "c" * 16))
    assert [story.claim("a")["held"] for _ in range(2)] == [100, 150]
    assert story.run(c.SubscriptionRelease("a", leaves=True))["left"] == 50
    story.now = LEASE
    assert story.claim("b")["held"] == 100
    assert story.claim("b")["held"] == 150


def test_a_change_takes_it_from_whoever_has_it(story: Story) -> None:
    story.agreed("s")
    token = story.take("a")
    story.subscribe("s", doc=1, attempts=5)
    assert story.held("a") == []
    assert story.commit(token)["outcome"] == "outdated"
    assert '"attempts":5' in story.claim("a")["s"]["document"]


@pytest.mark.parametrize("end", ["disabled", "deleted", "asked anew"])
def test_what_ends_is_taken_by_nobody(story: Story, end: str) -> None:
    story.agreed("s")
    token = story.take("a")
    if end == "disabled":
        story.subscribe("s", doc=1, enabled=False)
    elif end == "deleted":
        story.run(c.SubscriptionDelete("s"))
    else:
        story.subscribe("s", doc=1, url="https://other.example.com/")
    assert story.commit(token)["outcome"] == "outdated"
    assert story.claim("a") == {"share": 0, "held": 0}


def test_nothing_is_written_while_there_are_no_subscriptions(story: Story) -> None:
    story.claim("a")
    story.agreed("s")
    story.run(c.SubscriptionDelete("s"))
    assert story.claim("a") == {"share": 0, "held": 0}
    assert not story.redis.exists(f"{story.root}:deliverers")


def test_giving_back_what_is_not_ones_own_does_nothing(story: Story) -> None:
    story.agreed("s")
    story.claim("a")
    assert story.run(c.SubscriptionRelease("b", ["s", "none"]))["freed"] == 0
    assert story.held("a") == ["s"]


@pytest.mark.parametrize(
    "wrong",
    [
        c.SubscriptionClaim("", 1, 1),
        c.SubscriptionClaim("a", -1, 1),
        c.SubscriptionClaim("a", 101, 1),
        c.SubscriptionClaim("a", 1, 0),
        c.SubscriptionRelease("a", ["s"] * 101),
        c.SubscriptionRelease("a", [1]),  # type: ignore[list-item]
    ],
    ids=str,
)
def test_what_is_malformed_is_refused(story: Story, wrong: c.Command) -> None:
    with pytest.raises(Refused, match="BAD_CALL"):
        story.run(wrong)
