"""Function and webhook rules through the official SDK: real servers are asked, by the worker."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import closing
from typing import Any

import pytest
from azure.communication.jobrouter import models as m

from tests import support
from tests.faults import verify
from tests.outgoing.endpoint import hang_up, ok, silence, status
from tests.sdk.clients import Sdk, offers_of, register, until
from tests.sdk.remote import answering
from tests.signed import Caller

KEY, SECRET = "function-key-of-a-test", "client-secret-of-a-test"
New = Callable[[str], str]


def function(url: str) -> m.FunctionRouterRule:
    credential = m.FunctionRouterRuleCredential(function_key=KEY)
    return m.FunctionRouterRule(function_uri=f"{url}/api/rule", credential=credential)


def webhook(url: str, authority: str) -> m.WebhookRouterRule:
    return m.WebhookRouterRule(
        webhook_uri=f"{url}/hook",
        authorization_server_uri=f"{authority}/token",
        client_credential=m.OAuth2WebhookClientCredential(client_id="me", client_secret=SECRET),
    )


def classified(sdk: Sdk, queue: str, new: New, labels: dict[str, Any], **policy: Any) -> Any:
    """A job as it is when its policy has been applied."""
    given = m.ClassificationPolicy(fallback_queue_id=queue, **policy)
    sdk.upsert_classification_policy(new("cp"), given)
    job = sdk.upsert_job(new("j"), channel_id="voice", classification_policy_id=new("cp"), labels=labels)
    assert job.status == "pendingClassification"
    return until(lambda: sdk.get_job(new("j")), lambda job: job.status != "pendingClassification")


def test_a_function_gives_the_priority(sdk: Sdk, queue: str, new: New) -> None:
    register(sdk, new("w"), queue)
    with answering(ok(7)) as server:
        labels = {"Tier": "gold", "Age": 3, "Vip": True}
        job = classified(sdk, queue, new, labels, prioritization_rule=function(server.url))
    assert (job.status, job.priority, job.queue_id) == ("queued", 7, queue)
    (offer,) = offers_of(sdk, new("w"))
    assert offer.job_id == new("j")
    (request,) = server.requests
    assert (request.method, request.path) == ("POST", "/api/rule")
    assert request.headers["x-functions-key"] == KEY
    assert json.loads(request.body) == {"job": labels}


def test_a_webhook_with_a_token_gives_selectors(sdk: Sdk, queue: str, new: New) -> None:
    answer = [
        {"key": "Lang", "labelOperator": "equal", "value": "en"},
        {"key": "Skill", "labelOperator": "greaterThan", "value": 5, "expiresAfterSeconds": 60},
    ]
    token = {"access_token": "t1", "token_type": "Bearer"}
    with answering(ok(token)) as authority, answering(ok(answer)) as server:
        rule = webhook(server.url, authority.url)
        attachment = m.RuleEngineWorkerSelectorAttachment(rule=rule)
        job = classified(sdk, queue, new, {}, worker_selector_attachments=[attachment])
    assert job.status == "queued"
    assert [(s.key, s.label_operator, s.value) for s in job.attached_worker_selectors] == [
        ("Lang", "equal", "en"),
        ("Skill", "greaterThan", 5),
    ]
    (asked,) = authority.requests
    assert b"client_secret=" + SECRET.encode() in asked.body
    (request,) = server.requests
    assert request.headers["authorization"] == "Bearer t1"


def test_a_function_selects_the_queue(sdk: Sdk, queue: str, new: New) -> None:
    mark = new("mark")
    sdk.upsert_queue(new("gold"), m.RouterQueue(distribution_policy_id=new("dp"), labels={"Mark": mark}))
    with answering(ok([{"key": "Mark", "labelOperator": "equal", "value": mark}])) as server:
        attachment = m.RuleEngineQueueSelectorAttachment(rule=function(server.url))
        job = classified(sdk, queue, new, {}, queue_selector_attachments=[attachment])
    assert (job.status, job.queue_id) == ("queued", new("gold"))


def test_a_function_that_fails_once_is_asked_again(sdk: Sdk, queue: str, new: New) -> None:
    with answering(status(503), ok(4)) as server:
        job = classified(sdk, queue, new, {}, prioritization_rule=function(server.url))
    assert (job.status, job.priority) == ("queued", 4)
    assert len(server.requests) == 2


@pytest.mark.parametrize(
    "reply",
    [
        status(500),
        status(302, "Location: http://127.0.0.1:1/"),
        status(404),
        ok(b"no json"),
        ok("7"),
        ok(b"1" * 300_000),
        hang_up,
        silence,
    ],
    ids=["500", "redirect", "404", "no json", "a text", "huge", "dies", "slow"],
)
def test_a_function_that_fails_fails_the_classification(sdk: Sdk, queue: str, new: New, reply: Any) -> None:
    with answering(reply) as server:
        job = classified(sdk, queue, new, {}, prioritization_rule=function(server.url))
        assert job.status == "classificationFailed"
        assert 1 <= len(server.requests) <= 2
    with answering(ok(3)) as server:
        rule = function(server.url)
        sdk.upsert_classification_policy(new("cp"), m.ClassificationPolicy(prioritization_rule=rule))
        sdk.reclassify_job(new("j"))
        job = until(lambda: sdk.get_job(new("j")), lambda job: job.status == "queued")
    assert job.priority == 3


def test_a_dead_endpoint_delays_only_its_own_jobs(sdk: Sdk, queue: str, new: New) -> None:
    """More jobs than may call it at a time."""
    with answering(silence) as dead, answering(ok(5)) as living:
        sdk.upsert_classification_policy(
            new("dead"),
            m.ClassificationPolicy(fallback_queue_id=queue, prioritization_rule=function(dead.url)),
        )
        for n in range(40):
            sdk.upsert_job(new(f"d{n}"), channel_id="voice", classification_policy_id=new("dead"))
        job = classified(sdk, queue, new, {}, prioritization_rule=function(living.url))
        assert job.status == "queued"
        assert sdk.get_job(new("d39")).status == "pendingClassification"
        for n in range(40):
            sdk.cancel_job(new(f"d{n}"))


def test_secrets_are_shown_nowhere(
    sdk: Sdk, queue: str, new: New, served: support.Served, caplog: pytest.LogCaptureFixture
) -> None:
    with answering(status(500)) as server:
        rule = webhook(server.url, server.url)
        attachment = m.RuleEngineWorkerSelectorAttachment(rule=rule)
        job = classified(
            sdk,
            queue,
            new,
            {},
            prioritization_rule=function(server.url),
            worker_selector_attachments=[attachment],
        )
    assert job.status == "classificationFailed"
    shown = [
        sdk.get_classification_policy(new("cp")).as_dict(),
        [policy.as_dict() for policy in sdk.list_classification_policies()],
        job.as_dict(),
    ]
    with closing(Caller(served.url, served.key)) as call:
        events = verify.all_events(call)
    assert [e for e in events if e["data"].get("jobId") == new("j") and "errors" in e["data"]]
    for text in (json.dumps(shown, default=str), json.dumps(events), caplog.text):
        assert KEY not in text
        assert SECRET not in text
