"""Who is to get events agrees first: in an answer, or by the code that was sent, within ten minutes."""

from __future__ import annotations

import json

import pytest

from engine import commands as c
from engine.errors import Refused
from engine.subscriptions.model import Secrets
from tests.subscriptions.router import CODE, START, URL, Router

OTHER = "https://other.example.com/"
MINUTE = 60_000


def confirm(router: Router, code: str = CODE, subscription_id: str = "s") -> None:
    router.run(c.SubscriptionConfirm(subscription_id, code))


def test_a_worker_is_told_what_to_ask(router: Router) -> None:
    router.subscribe(url=f"{URL}?code=key")
    [question] = router.lease()
    assert (question["task"], question["subscription"]) == ("validate:s", "s")
    assert (question["code"], question["origin"]) == (CODE, "https://router.example.com")
    assert Secrets.parse(question["secret"]).url == f"{URL}?code=key"
    assert json.loads(question["document"])["url"] == URL
    assert router.lease() == []
    router.now += 30_000
    assert len(router.lease()) == 1


def test_who_agrees_gets_events(router: Router) -> None:
    router.subscribe()
    [question] = router.lease()
    assert router.answer(question, "agreed") == "done"
    assert (router.status(), router.deliveries()) == ("enabled", ["s"])
    assert router.answer(question, "agreed") == "outdated"
    router.now += 30_000
    assert router.lease() == []


def test_who_does_not_agree_at_once_may_do_so_by_the_code(router: Router) -> None:
    router.subscribe()
    [question] = router.lease()
    assert router.answer(question, "later") == "done"
    assert router.status() == "validating"
    router.now += 5 * MINUTE
    assert router.lease() == []
    for code in ("", "nonsense", CODE.upper(), CODE + " "):
        with pytest.raises(Refused, match="NOT_FOUND"):
            confirm(router, code)
    with pytest.raises(Refused, match="NOT_FOUND"):
        confirm(router, CODE, "other")
    confirm(router)
    assert (router.status(), router.deliveries()) == ("enabled", ["s"])
    with pytest.raises(Refused, match="NOT_FOUND"):
        confirm(router)


def test_looking_at_a_code_does_not_agree(router: Router) -> None:
    router.subscribe()
    before = router.read()
    router.run(c.SubscriptionConfirm("s", CODE, look=True))
    assert router.read() == before
    for code in ("", "nonsense"):
        with pytest.raises(Refused, match="NOT_FOUND"):
            router.run(c.SubscriptionConfirm("s", code, look=True))
    confirm(router)
    with pytest.raises(Refused, match="NOT_FOUND"):
        router.run(c.SubscriptionConfirm("s", CODE, look=True))


def test_the_code_is_good_before_the_worker_has_brought_the_answer(router: Router) -> None:
    router.subscribe()
    [question] = router.lease()
    confirm(router)
    assert router.answer(question, "failed", "too late") == "outdated"
    assert (router.status(), router.read().last_error) == ("enabled", "")


def test_who_gives_no_answer_is_asked_again(router: Router) -> None:
    router.subscribe()
    [question] = router.lease()
    assert router.answer(question, "failed", "no connection") == "done"
    record = router.read()
    assert (record.status, record.last_error, record.last_error_at) == ("validating", "no connection", START)
    router.now += 14_999
    assert router.lease() == []
    router.now += 1
    [again] = router.lease()
    router.answer(again, "agreed")
    assert (router.status(), router.read().last_error) == ("enabled", "")


@pytest.mark.parametrize(
    ("outcome", "error"),
    [
        ("later", "the endpoint has not agreed in time"),
        ("failed", "status 500"),
        ("", "the endpoint has not agreed in time"),
    ],
)
def test_after_ten_minutes_it_is_refused(router: Router, outcome: str, error: str) -> None:
    router.subscribe()
    if outcome:
        router.answer(router.lease()[0], outcome, "status 500" if outcome == "failed" else "")
    router.at(10 * MINUTE - 1)
    assert router.status() == "validating"
    router.at(10 * MINUTE)
    record = router.read()
    assert (record.status, record.last_error) == ("refused", error)
    assert router.lease() == []
    with pytest.raises(Refused, match="NOT_FOUND"):
        confirm(router)


def test_a_change_asks_who_has_refused_again(router: Router) -> None:
    router.subscribe()
    router.at(10 * MINUTE)
    router.subscribe(doc=1, code="another-code-of-mine")
    assert (router.status(), router.read().last_error) == ("validating", "")
    [question] = router.lease()
    assert question["code"] == "another-code-of-mine"
    router.at(19 * MINUTE)
    confirm(router, "another-code-of-mine")
    assert router.status() == "enabled"


def test_a_change_while_it_is_asked_outdates_the_question(router: Router) -> None:
    router.subscribe()
    [question] = router.lease()
    router.subscribe(doc=1, url=OTHER, code="another-code-of-mine")
    assert router.answer(question, "agreed") == "outdated"
    assert router.status() == "validating"
    with pytest.raises(Refused, match="NOT_FOUND"):
        confirm(router)
    [question] = router.lease()
    assert Secrets.parse(question["secret"]).url == OTHER
    router.answer(question, "agreed")
    assert router.status() == "enabled"


def test_only_another_endpoint_or_kind_of_handshake_is_asked(router: Router) -> None:
    router.subscribe(schema="cloudEventsBinary")
    router.agree()
    router.subscribe(doc=1, schema="cloudEventsStructured", name="new", signing=("whsec_x",))
    assert (router.status(), router.lease()) == ("enabled", [])
    router.subscribe(doc=2, schema="eventGrid")
    assert (router.status(), router.deliveries()) == ("validating", [])
    router.agree()
    router.subscribe(doc=3, url=f"{URL}?another=query")
    assert router.status() == "validating"
    router.subscribe(doc=4)
    assert (router.status(), router.deliveries()) == ("enabled", ["s"])


def test_a_disabled_one_is_not_asked_and_gets_nothing(router: Router) -> None:
    router.subscribe(enabled=False)
    assert (router.status(), router.lease()) == ("disabled", [])
    router.subscribe(doc=1)
    router.agree()
    router.subscribe(doc=2, enabled=False)
    assert (router.status(), router.deliveries()) == ("disabled", [])
    router.subscribe(doc=3)
    assert (router.status(), router.deliveries()) == ("enabled", ["s"])
    router.subscribe(doc=4, url=OTHER)
    [question] = router.lease()
    router.subscribe(doc=5, url=OTHER, enabled=False)
    assert router.answer(question, "agreed") == "outdated"
    assert router.status() == "disabled"
    router.at(11 * MINUTE)
    assert router.status() == "disabled"


@pytest.mark.parametrize("status", ["failing", "lagged"])
def test_a_change_leaves_it_as_the_deliveries_have_it(router: Router, status: str) -> None:
    router.subscribe()
    router.agree()
    router.redis.hset(f"{router.root}:subscription:s", "status", status)
    router.subscribe(doc=1, name="new")
    assert (router.status(), router.deliveries()) == (status, ["s"])


def test_workers_are_woken(router: Router) -> None:
    bell = f"{router.root}:deliveries.bell"
    for step in (router.subscribe, router.agree):
        router.redis.delete(bell)
        step()
        assert router.redis.exists(bell)


@pytest.mark.parametrize("text", ["", "{}", "yes", "agreed more", "Agreed"])
def test_a_malformed_answer_is_refused(router: Router, text: str) -> None:
    router.subscribe()
    [question] = router.lease()
    with pytest.raises(Refused, match="BAD_CALL"):
        router.run(c.TaskAnswer("validate:s", int(question["asked"]), 1, text))
    assert router.status() == "validating"


def test_the_handshake_of_a_deleted_one_is_forgotten(router: Router) -> None:
    router.subscribe()
    [question] = router.lease()
    router.run(c.SubscriptionDelete("s"))
    assert router.answer(question, "agreed") == "outdated"
    router.at(11 * MINUTE)
    with pytest.raises(Refused, match="NOT_FOUND"):
        router.read()
