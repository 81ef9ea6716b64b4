"""The log of calls: everything that may have written, with what it was given and what it replied."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
import redis

from engine import commands as c
from engine.errors import Refused
from tests.deliveries.router import CODE, subscription
from tests.histories.log import DUE, Entry, entries
from tests.operations import OPERATIONS
from tests.stories.router import START, Router


def log_of(router: Router) -> list[Entry]:
    """All entries; each begins where the one before has ended."""
    found = [entry for _, entry in entries(router.redis, router.root)]
    assert all(one.op == next_one.before for one, next_one in itertools.pairwise(found))
    return found


def run(router: Router, command: c.Command) -> Any:
    """Runs a command on the store alone, at the time of the story."""
    return router.pair.store.run(command, START + router.now)


def test_nothing_is_recorded_by_default(router: Router) -> None:
    router.job("j")
    router.at(1_000)
    assert run(router, c.RouterStatus())["recording"] == 0
    assert router.redis.exists(f"{router.root}:oplog") == 0
    assert "recording" not in router.redis.hget(router.root, "state")


def test_calls_are_recorded_with_what_they_replied(router: Router) -> None:
    router.settings(recording=100)
    create = c.JobCreate("j", channel="voice", queue="q", labels='"a":1', tags='"t":"é\\n"', notes='"hi"\t')
    reply = router.run(create)
    router.run(c.JobRead("j"))
    first, second = log_of(router)
    assert first.command == c.SettingsWrite(recording=100)
    assert (first.op, first.before) == (first.reply["op"], first.op - 1)
    assert second.command == create
    assert (second.op, second.before, second.at) == (reply["op"], first.op, START)
    assert second.command.completed(second.reply) == reply


def test_a_call_that_takes_no_number_is_recorded_at_the_last_one(router: Router) -> None:
    router.settings(recording=100)
    router.run(c.JobCreate("j", channel="voice", queue="q"))
    assert router.run(c.JobCreate("j", channel="voice", queue="q"))["outcome"] == "exists"
    _, created, repeated = log_of(router)
    assert (repeated.op, repeated.place, repeated.before) == (created.op, created.place + 1, created.op)


def test_what_was_due_is_recorded_before_the_call_that_did_it(router: Router) -> None:
    router.worker("w")
    router.settings(recording=100)
    router.job("j")
    router.outage(60_000)
    run(router, c.JobCreate("k", channel="voice", queue="q"))
    *_, due, create = log_of(router)
    assert (due.call, due.done, due.at) == (DUE, 1, START + 60_000)
    assert due.op == create.before == create.op - 1


def test_a_refused_call_is_recorded_and_what_it_did_before(router: Router) -> None:
    router.worker("w")
    router.settings(recording=100)
    router.job("j")
    router.outage(60_000)
    with pytest.raises(Refused, match="not found"):
        run(router, c.JobCancel("nobody"))
    *_, due, cancel = log_of(router)
    assert due.call == DUE
    assert cancel.command == c.JobCancel("nobody")
    assert (cancel.op, cancel.before, cancel.reply) == (due.op, due.op, None)
    assert cancel.refused == "NOT_FOUND The item was not found."


def test_a_malformed_call_is_not_recorded(router: Router) -> None:
    router.settings(recording=100)
    with pytest.raises(redis.ResponseError, match="unknown field"):
        router.redis.fcall("jr_job_cancel", 1, router.root, "1", '{"id":"j","strange":1}')
    assert len(log_of(router)) == 1


def test_credentials_are_not_recorded(router: Router) -> None:
    router.settings(recording=100)
    secret = '{"priority":{"function_key":"do-not-tell"}}'
    pipeline = '{"priority":{"kind":"function","text":"{}"}}'
    policy = c.PolicyUpsert("classification", "c", pipeline=pipeline, fallback="q", secret=secret)
    for command in (policy, c.PolicyUpdate("classification", "c", 1, pipeline=pipeline, secret=secret)):
        run(router, command)
    run(router, c.JobCreate("j", channel="voice", classification="c"))
    assert run(router, c.TaskLease(1, 1_000))["rows"][0]["secret"] == secret
    made = subscription("s", "https://e.example/events?code=do-not-tell")
    run(router, made)
    again = {name: getattr(made, name) for name in made.__struct_fields__}
    run(router, c.SubscriptionUpdate(**again | {"doc": 1}))
    assert "do-not-tell" in run(router, c.TaskLease(9, 1_000))["rows"][0]["secret"]
    run(router, c.SubscriptionConfirm("s", CODE))
    run(router, c.SubscriptionClaim("deliverer", 10, 1_000))
    text = str(router.redis.xrange(f"{router.root}:oplog"))
    assert text.count("(not recorded)") >= 9
    assert "do-not-tell" not in text
    assert CODE not in text
    assert "function" in text


@pytest.mark.parametrize("kind", [kind for kind in OPERATIONS if kind.write])
def test_places_of_credentials_are_known(kind: type[c.Command]) -> None:
    """What is called a secret or a code stands in lua/call/recording.lua; add a new one there."""
    hidden = {"jr_subscription_confirm": [0]}
    for verb in ("upsert", "update"):
        hidden |= {f"jr_policy_{verb}": [1], f"jr_subscription_{verb}": [1, 2]}
    found = [i for i, name in enumerate(kind.documents) if name in ("secret", "code")]
    assert found == hidden.get(kind.function, [])


def test_the_log_is_bounded(router: Router) -> None:
    router.settings(recording=10)
    for _ in range(600):
        run(router, c.AgendaDue())
    assert 10 <= router.redis.xlen(f"{router.root}:oplog") < 200


def test_switched_off_the_log_is_gone(router: Router) -> None:
    router.settings(recording=10)
    router.job("j")
    router.settings()
    router.job("k")
    assert router.redis.exists(f"{router.root}:oplog") == 0
    assert "recording" not in router.redis.hget(router.root, "state")


def test_other_settings_leave_it_on(router: Router) -> None:
    router.settings(recording=100)
    router.settings(recording=100, batch=7)
    router.job("j")
    assert [entry.call for entry in log_of(router)] == ["jr_settings_write"] * 2 + ["jr_job_create"]
