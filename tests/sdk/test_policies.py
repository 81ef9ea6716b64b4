"""Policies of all three kinds."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from azure.communication.jobrouter import models as m
from azure.core.exceptions import (
    HttpResponseError,
    ResourceExistsError,
    ResourceNotFoundError,
)

from tests.sdk.clients import Sdk, offers_of, register


def test_distribution_policies(sdk: Sdk, new: Callable[[str], str]) -> None:
    mode = m.BestWorkerMode(
        scoring_rule=m.ExpressionRouterRule(expression="1"),
        scoring_rule_options=m.ScoringRuleOptions(batch_size=5, scoring_parameters=["jobLabels"]),
        max_concurrent_offers=2,
    )
    policy = m.DistributionPolicy(name="é", offer_expires_after_seconds=1.5, mode=mode)
    created = sdk.upsert_distribution_policy(new("dp"), policy)
    assert (created.id, created.name, created.offer_expires_after_seconds) == (new("dp"), "é", 1.5)
    assert created.mode.kind == "bestWorker"
    assert (created.mode.max_concurrent_offers, created.mode.bypass_selectors) == (2, False)
    assert created.mode.scoring_rule.expression == "1"
    assert sdk.upsert_distribution_policy(new("dp"), created).etag == created.etag
    changed = sdk.upsert_distribution_policy(new("dp"), name="n", mode=m.RoundRobinMode())
    assert (changed.mode.kind, changed.mode.max_concurrent_offers) == ("roundRobin", 2)
    assert changed.etag != created.etag
    assert sdk.get_distribution_policy(new("dp")).etag == changed.etag
    assert new("dp") in [item.id for item in sdk.list_distribution_policies(results_per_page=1)]
    sdk.delete_distribution_policy(new("dp"))
    with pytest.raises(ResourceNotFoundError):
        sdk.get_distribution_policy(new("dp"))
    sdk.delete_distribution_policy(new("dp"))


def test_classification_policies(sdk: Sdk, queue: str, new: Callable[[str], str]) -> None:
    selector = m.RouterQueueSelector(key="Id", label_operator="equal", value=queue)
    rule = m.StaticRouterRule(value=True)
    wanted = m.RouterWorkerSelector(key="k", label_operator="greaterThan", value=5, expires_after_seconds=2.5)
    policy = m.ClassificationPolicy(
        name="n",
        fallback_queue_id=queue,
        queue_selector_attachments=[
            m.StaticQueueSelectorAttachment(queue_selector=selector),
            m.ConditionalQueueSelectorAttachment(condition=rule, queue_selectors=[selector]),
            m.PassThroughQueueSelectorAttachment(key="k", label_operator="equal"),
            m.RuleEngineQueueSelectorAttachment(rule=rule),
            m.WeightedAllocationQueueSelectorAttachment(
                allocations=[m.QueueWeightedAllocation(weight=0.3, queue_selectors=[selector])]
            ),
        ],
        prioritization_rule=m.FunctionRouterRule(
            function_uri="https://f/", credential=m.FunctionRouterRuleCredential(function_key="hidden")
        ),
        worker_selector_attachments=[m.StaticWorkerSelectorAttachment(worker_selector=wanted)],
    )
    created = sdk.upsert_classification_policy(new("cp"), policy)
    kinds = [attachment.kind for attachment in created.queue_selector_attachments]
    assert kinds == ["static", "conditional", "passThrough", "ruleEngine", "weightedAllocation"]
    assert created.worker_selector_attachments[0].worker_selector.value == 5
    assert "hidden" not in str(created)
    assert sdk.get_classification_policy(new("cp")).etag == created.etag
    assert sdk.upsert_classification_policy(new("cp"), created).etag == created.etag
    assert new("cp") in [item.id for item in sdk.list_classification_policies(results_per_page=2)]
    with pytest.raises(ResourceExistsError, match="classification policy with this queue as fallback queue"):
        sdk.delete_queue(queue)
    sdk.delete_classification_policy(new("cp"))
    with pytest.raises(ResourceNotFoundError):
        sdk.get_classification_policy(new("cp"))


def test_exception_policies(sdk: Sdk, new: Callable[[str], str]) -> None:
    rules = [
        m.ExceptionRule(
            id="r",
            trigger=m.QueueLengthExceptionTrigger(threshold=5),
            actions=[m.CancelExceptionAction(note="x"), m.ManualReclassifyExceptionAction(priority=3)],
        ),
        m.ExceptionRule(id="s", trigger=m.WaitTimeExceptionTrigger(threshold_seconds=1.5), actions=[]),
    ]
    created = sdk.upsert_exception_policy(new("ep"), m.ExceptionPolicy(name="n", exception_rules=rules))
    assert [rule.trigger.kind for rule in created.exception_rules] == ["queueLength", "waitTime"]
    assert len({action.id for action in created.exception_rules[0].actions}) == 2
    assert sdk.get_exception_policy(new("ep")).etag == created.etag
    again = sdk.upsert_exception_policy(new("ep"), exception_rules=rules)
    assert again.etag != created.etag
    rules[1].actions = [m.ReclassifyExceptionAction(classification_policy_id="nope")]
    with pytest.raises(HttpResponseError, match="ClassificationPolicyId: nope"):
        sdk.upsert_exception_policy(new("ep"), exception_rules=rules)
    assert new("ep") in [item.id for item in sdk.list_exception_policies(results_per_page=1)]
    sdk.delete_exception_policy(new("ep"))
    with pytest.raises(ResourceNotFoundError):
        sdk.get_exception_policy(new("ep"))


def test_the_best_worker_by_an_expression(sdk: Sdk, new: Callable[[str], str]) -> None:
    rule = m.ExpressionRouterRule(expression="If(worker.HandleEscalation = true, 100, 1)")
    policy = m.DistributionPolicy(
        offer_expires_after_seconds=60, mode=m.BestWorkerMode(scoring_rule=rule, max_concurrent_offers=1)
    )
    sdk.upsert_distribution_policy(new("dp"), policy)
    sdk.upsert_queue(new("queue"), m.RouterQueue(distribution_policy_id=new("dp")))
    register(sdk, new("w1"), new("queue"))
    register(sdk, new("w2"), new("queue"), labels={"HandleEscalation": True})
    sdk.upsert_job(new("j1"), channel_id="voice", queue_id=new("queue"))
    assert offers_of(sdk, new("w2"))[0].job_id == new("j1")
    assert sdk.get_worker(new("w1")).offers == []


def test_a_wrong_expression_is_refused_where_it_is_wrong(sdk: Sdk, new: Callable[[str], str]) -> None:
    rule = m.ExpressionRouterRule(expression="If(worker.x = 1, 100, one)")
    mode = m.BestWorkerMode(scoring_rule=rule)
    policy = m.DistributionPolicy(offer_expires_after_seconds=60, mode=mode)
    with pytest.raises(HttpResponseError) as refused:
        sdk.upsert_distribution_policy(new("dp"), policy)
    assert refused.value.status_code == 400
    assert "'mode.scoringRule.expression' is not valid: line 1, column 23: " in str(refused.value)


def test_rule_that_one_version_sends_without_its_kind(sdk: Sdk, new: Callable[[str], str]) -> None:
    """It is refused, with what to write instead, also where a patch would have kept the former rule."""
    rule = m.DirectMapRouterRule({"kind": "directMap"})
    policy = sdk.upsert_classification_policy(new("cp"), m.ClassificationPolicy(prioritization_rule=rule))
    assert policy.prioritization_rule.kind == "directMap"
    if not dict(m.DirectMapRouterRule()):
        with pytest.raises(HttpResponseError, match=r'give \{"kind": "directMap"\} instead') as caught:
            sdk.upsert_classification_policy(new("cp"), prioritization_rule=m.DirectMapRouterRule())
        assert caught.value.status_code == 400
