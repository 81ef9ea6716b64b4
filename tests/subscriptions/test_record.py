"""The record of a subscription: created, replaced, listed, deleted, refused."""

from __future__ import annotations

import json

import msgspec
import pytest

from engine import commands as c
from engine.errors import Refused
from engine.event_filters import EventFilters
from engine.subscriptions.model import Secrets, Subscription, target
from tests.subscriptions.router import CODE, START, URL, Router


def test_a_new_subscription_is_validating_and_begins_now(router: Router) -> None:
    last = router.job("j1")
    reply = router.subscribe(signing=("whsec_x",))
    assert (reply["outcome"], reply["status"], reply["doc"], reply["rev"]) == ("created", "validating", 1, 1)
    record = router.read()
    assert (record.cursor, record.modified_at) == (last, START)
    assert Subscription.parse(record.document) == Subscription(url=URL, signing=1)
    assert Secrets.parse(record.secret) == Secrets(URL, ["whsec_x"])
    assert router.deliveries() == []


def test_it_may_begin_at_an_entry(router: Router) -> None:
    first, last = router.job("j1"), router.job("j2")
    router.subscribe("all", after=0)
    router.subscribe("second", after=first)
    router.subscribe("none", after=last)
    assert [router.read(x).cursor for x in ("all", "second", "none")] == [0, first, last]


def test_it_begins_with_the_oldest_entry_that_is_kept(router: Router) -> None:
    first, second, third = router.job("j1"), router.job("j2"), router.job("j3")
    router.redis.xdel(f"{router.root}:events", f"{first}-0", f"{second}-0")
    router.subscribe("all", after=0)
    router.subscribe("third", after=second)
    assert [router.read(x).cursor for x in ("all", "third")] == [second, second]
    router.redis.xdel(f"{router.root}:events", f"{third}-0")
    router.subscribe("nothing is kept", after=0)
    assert router.read("nothing is kept").cursor == third


@pytest.mark.parametrize("after", [1, 999])
def test_it_cannot_begin_where_nothing_is_kept_or_there_yet(router: Router, after: int) -> None:
    first, second = router.job("j1"), router.job("j2")
    assert 1 < first < second < 999
    router.redis.xdel(f"{router.root}:events", f"{first}-0")
    with pytest.raises(Refused) as refused:
        router.subscribe(after=after)
    assert refused.value.code == "INVALID"
    assert refused.value.text == (
        "there is no entry 999 yet" if after == 999 else "the entries after 1 are not kept any more"
    )
    assert router.run(c.SubscriptionDelete("s"))["outcome"] == "absent"


def test_a_subscription_that_is_there_is_shown_with_its_secret(router: Router) -> None:
    router.subscribe(signing=("whsec_x",))
    reply = router.subscribe(url="https://other.example.com/")
    assert reply["outcome"] == "exists"
    assert Secrets.parse(reply["secret"]).url == URL
    assert router.read().doc == 1


def test_it_is_replaced_by_its_counter(router: Router) -> None:
    last = router.job("j1")
    router.subscribe()
    router.job("j2")
    reply = router.subscribe(doc=1, filters=EventFilters(queues=frozenset("q")))
    assert (reply["outcome"], reply["doc"]) == ("updated", 2)
    assert router.read().cursor == last
    for doc, rev in ((1, -1), (2, 1), (3, -1)):
        with pytest.raises(Refused, match="CHANGED"):
            router.subscribe(doc=doc, rev=rev)
    with pytest.raises(Refused, match="CHANGED"):
        router.subscribe("other", doc=1)


def test_it_is_listed_newest_first_and_without_secrets(router: Router) -> None:
    for name in ("a", "b", "c"):
        router.subscribe(name, url=f"{URL}?code=key-of-{name}", signing=("whsec_secret",), code=CODE)
    page = router.run(c.SubscriptionList(limit=2))
    assert [row["id"] for row in page["rows"]] == ["c", "b"]
    rest = router.run(c.SubscriptionList(limit=2, cursor=page["next"]))
    assert [row["id"] for row in rest["rows"]] == ["a"]
    assert rest["next"] == 0
    shown = json.dumps([page, rest, router.run(c.SubscriptionRead("a"))])
    assert "key-of" not in shown
    assert "whsec" not in shown
    assert CODE not in shown


def test_deleting_leaves_nothing_behind(router: Router) -> None:
    router.subscribe("gone")
    router.subscribe("s")
    router.agree()
    router.subscribe("gone", doc=1, url="https://other.example.com/")
    for name in ("gone", "s"):
        assert router.run(c.SubscriptionDelete(name))["outcome"] == "deleted"
        assert router.run(c.SubscriptionDelete(name))["outcome"] == "absent"
        with pytest.raises(Refused, match="NOT_FOUND"):
            router.read(name)
    keys = {key.removeprefix(router.root) for key in router.redis.scan_iter(match=f"{router.root}*")}
    assert keys == {"", ":bell", ":deliveries.bell", ":alarm"}


def test_there_are_a_thousand_at_most(router: Router) -> None:
    ids = {f"s{n}": n + 1 for n in range(1_000)}
    router.redis.zadd(f"{router.root}:subscriptions", ids)
    with pytest.raises(Refused, match="LIMIT there are 1000 subscriptions already"):
        router.store.run(router.root, upsert())
    router.redis.zrem(f"{router.root}:subscriptions", "s7")
    assert router.store.run(router.root, upsert())["outcome"] == "created"


def upsert() -> c.SubscriptionUpsert:
    """A subscription that can be created."""
    document, secret = Subscription(url=URL).text, Secrets(URL).text
    return c.SubscriptionUpsert(
        "s", target=target("eventGrid", URL), document=document, secret=secret, code=CODE
    )


WRONG_MEMBERS = [
    '"more":1',
    '"name":null',
    '"name":"a\\u0000b"',
    '"schema":"xml"',
    '"filters":[1]',
    '"filters":{"types":"a"}',
    '"filters":{"types":[1]}',
    '"filters":{"queues":{"a":"b"}}',
    '"filters":{"more":[]}',
    '"filters":{"subject_begins":1}',
    '"attempts":0',
    '"attempts":31',
    '"attempts":1.5',
    '"minutes":1441',
    '"minutes":"1"',
    '"signing":3',
    '"enabled":1',
    '"after":-2',
]


@pytest.mark.parametrize(
    "wrong",
    [
        *({"document": text} for text in ("", "x", "1", "null", "{", "[]", "{}", '{"url":""}', '{"url":1}')),
        *({"document": f'{{"url":"https://a/",{more}}}'} for more in WRONG_MEMBERS),
        *({"secret": text} for text in ("", "{}", '{"url":""}', '{"url":1}', '{"url":"u","more":1}')),
        *({"secret": f'{{"url":"u","signing":{signing}}}'} for signing in ("1", "[1]", '["a","b","c"]')),
        {"target": ""},
        {"code": ""},
        {"code": "short"},
        {"after": -2},
        {"after": 1},
    ],
    ids=str,
)
def test_what_is_malformed_is_refused_and_changes_nothing(router: Router, wrong: dict[str, object]) -> None:
    before = keys_of(router)
    with pytest.raises(Refused) as refused:
        router.run(msgspec.structs.replace(upsert(), **wrong))
    assert refused.value.code in ("BAD_CALL", "INVALID")
    assert keys_of(router) == before


def keys_of(router: Router) -> set[str]:
    """All keys of the router but its alarm, which goes by itself."""
    return {key for key in router.redis.keys("*") if key.startswith(router.root)} - {f"{router.root}:alarm"}


@pytest.mark.parametrize("limit", [0, -1, 101])
def test_a_page_has_its_bounds(router: Router, limit: int) -> None:
    with pytest.raises(Refused, match="BAD_CALL"):
        router.run(c.SubscriptionList(limit=limit))


def test_a_replacement_needs_its_counter(router: Router) -> None:
    given = {field: getattr(upsert(), field) for field in upsert().__struct_fields__}
    with pytest.raises(Refused, match="BAD_CALL doc is missing"):
        router.run(c.SubscriptionUpdate(**given))
