"""Best worker by a function or webhook through the official SDK: real servers score, asked by the worker."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import closing
from typing import Any

import pytest
from azure.communication.jobrouter import models as m

from tests import support
from tests.faults import verify
from tests.outgoing.endpoint import Endpoint, Reply, Request, hang_up, ok, silence, status
from tests.sdk.clients import Sdk, offers_of, register, until
from tests.sdk.remote import answering
from tests.sdk.test_remote_rules import KEY, SECRET, function, webhook
from tests.signed import Caller

New = Callable[[str], str]


def scored(sdk: Sdk, new: New, rule: Any, count: int, **options: Any) -> str:
    """A queue whose workers a rule scores; w1, w2, … have their number as label."""
    given = m.ScoringRuleOptions(**options) if options else None
    mode = m.BestWorkerMode(scoring_rule=rule, scoring_rule_options=given)
    policy = m.DistributionPolicy(offer_expires_after_seconds=60, mode=mode)
    sdk.upsert_distribution_policy(new("scored"), policy)
    sdk.upsert_queue(new("q"), m.RouterQueue(distribution_policy_id=new("scored")))
    for n in range(1, count + 1):
        register(sdk, new(f"w{n}"), new("q"), labels={"n": n})
    return new("q")


def taker(sdk: Sdk, new: New, count: int) -> str:
    """The worker that is offered the job, as soon as there is one."""

    def found() -> list[str]:
        names = [f"w{n}" for n in range(1, count + 1)]
        return [name for name in names if sdk.get_worker(new(name)).offers]

    (name,) = until(found, bool)
    return str(name)


def by_number(request: Request) -> Reply:
    """The score of a worker is its label; of several, by their ids."""
    body = json.loads(request.body)
    if "worker" in body:
        return ok(body["worker"]["n"])
    return ok({worker["Id"]: worker["n"] for worker in body["workers"]})


def bodies(server: Endpoint) -> list[Any]:
    return [json.loads(request.body) for request in server.requests]


def test_a_function_scores_each_worker(sdk: Sdk, new: New) -> None:
    with answering(by=by_number) as server:
        queue = scored(sdk, new, function(server.url), 3)
        selector = m.RouterWorkerSelector(key="n", label_operator="greaterThanOrEqual", value=1)
        labels = {"Tier": "gold", "Age": 3, "Vip": True}
        sdk.upsert_job(
            new("j"),
            channel_id="voice",
            queue_id=queue,
            labels=labels,
            requested_worker_selectors=[selector],
        )
        assert taker(sdk, new, 3) == "w3"
    told = [{"key": "n", "operator": "GreaterThanEqual", "value": 1}]
    assert sorted(bodies(server), key=lambda body: str(body["worker"]["n"])) == [
        {"job": labels, "selectors": told, "worker": {"n": n, "Id": new(f"w{n}")}} for n in (1, 2, 3)
    ]
    assert {request.headers["x-functions-key"] for request in server.requests} == {KEY}
    (offer,) = offers_of(sdk, new("w3"))
    sdk.accept_job_offer(new("w3"), offer.offer_id)
    assert sdk.get_job(new("j")).status == "assigned"


def test_a_function_scores_in_batches_and_the_least_is_the_best(sdk: Sdk, new: New) -> None:
    with answering(by=by_number) as server:
        queue = scored(
            sdk,
            new,
            function(server.url),
            5,
            is_batch_scoring_enabled=True,
            batch_size=2,
            descending_order=False,
        )
        sdk.upsert_job(new("j"), channel_id="voice", queue_id=queue)
        assert taker(sdk, new, 5) == "w1"
    assert sorted(len(body["workers"]) for body in bodies(server)) == [1, 2, 2]
    told = [worker["Id"] for body in bodies(server) for worker in body["workers"]]
    assert sorted(told) == [new(f"w{n}") for n in range(1, 6)]


@pytest.mark.parametrize("parameters", [["jobLabels"], ["workerSelectors"], []])
def test_scoring_parameters_say_what_is_told(sdk: Sdk, new: New, parameters: list[str]) -> None:
    names = {"jobLabels": "job", "workerSelectors": "selectors"}
    with answering(by=by_number) as server:
        queue = scored(sdk, new, function(server.url), 2, scoring_parameters=parameters)
        sdk.upsert_job(new("j"), channel_id="voice", queue_id=queue, labels={"a": 1})
        assert taker(sdk, new, 2) == "w2"
    wanted = {"worker", *(names[name] for name in parameters)}
    assert all(set(body) == wanted for body in bodies(server))


def test_a_webhook_scores_with_a_token(sdk: Sdk, new: New) -> None:
    token = {"access_token": "t1", "token_type": "Bearer"}
    with answering(ok(token)) as authority, answering(by=by_number) as server:
        queue = scored(sdk, new, webhook(server.url, authority.url), 2)
        sdk.upsert_job(new("j"), channel_id="voice", queue_id=queue)
        assert taker(sdk, new, 2) == "w2"
    (asked,) = authority.requests
    assert b"client_secret=" + SECRET.encode() in asked.body
    assert {request.headers["authorization"] for request in server.requests} == {"Bearer t1"}


@pytest.mark.parametrize(
    "reply",
    [status(500), status(302, "Location: http://127.0.0.1:1/"), ok(b"no json"), ok("7"), hang_up, silence],
    ids=["500", "redirect", "no json", "a text", "dies", "slow"],
)
def test_with_an_endpoint_that_fails_the_longest_available_is_taken(sdk: Sdk, new: New, reply: Any) -> None:
    with answering(reply) as server:
        queue = scored(sdk, new, function(server.url), 2)
        sdk.upsert_job(new("j"), channel_id="voice", queue_id=queue)
        assert taker(sdk, new, 2) == "w1"
        assert server.requests


def test_a_dead_scorer_delays_no_other_queue(sdk: Sdk, new: New, queue: str) -> None:
    register(sdk, new("free"), queue)
    with answering(silence) as dead:
        closed = scored(sdk, new, function(dead.url), 2)
        for n in range(20):
            sdk.upsert_job(new(f"d{n}"), channel_id="voice", queue_id=closed)
        sdk.upsert_job(new("j"), channel_id="voice", queue_id=queue)
        (offer,) = offers_of(sdk, new("free"))
        assert offer.job_id == new("j")
        for n in range(20):
            sdk.cancel_job(new(f"d{n}"))


def test_a_merge_keeps_what_it_does_not_name(sdk: Sdk, new: New) -> None:
    """Of the rule and its options; the secret, which no read shows, is kept too."""
    with answering(by=by_number) as server:
        queue = scored(sdk, new, function(server.url), 2, is_batch_scoring_enabled=True)
        mode = {"kind": "bestWorker", "scoringRuleOptions": {"descendingOrder": False}}
        sdk.upsert_distribution_policy(new("scored"), {"mode": mode})
        sdk.upsert_job(new("j"), channel_id="voice", queue_id=queue)
        assert taker(sdk, new, 2) == "w1"
    (request,) = server.requests
    assert len(json.loads(request.body)["workers"]) == 2
    assert request.headers["x-functions-key"] == KEY


def test_secrets_are_shown_nowhere(
    sdk: Sdk, new: New, served: support.Served, caplog: pytest.LogCaptureFixture
) -> None:
    with answering(status(500)) as server:
        queue = scored(sdk, new, webhook(server.url, server.url), 2)
        sdk.upsert_job(new("j"), channel_id="voice", queue_id=queue)
        assert taker(sdk, new, 2) == "w1"
    shown = [
        sdk.get_distribution_policy(new("scored")).as_dict(),
        [policy.as_dict() for policy in sdk.list_distribution_policies()],
        sdk.get_job(new("j")).as_dict(),
    ]
    with closing(Caller(served.url, served.key)) as call:
        events = verify.all_events(call)
    assert f"score:{new('j')}: 2 of 2 workers have no score" in caplog.text
    for text in (json.dumps(shown, default=str), json.dumps(events), caplog.text):
        assert SECRET not in text
