"""Every operation of the interface through the official Python SDK, sync and async, over HTTP."""

from __future__ import annotations

import asyncio
import datetime
import inspect
import time
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from azure.communication import jobrouter
from azure.communication.jobrouter import aio
from azure.communication.jobrouter import models as m
from azure.core import MatchConditions
from azure.core.credentials import AzureKeyCredential
from azure.core.exceptions import (
    ClientAuthenticationError,
    HttpResponseError,
    ResourceExistsError,
    ResourceModifiedError,
    ResourceNotFoundError,
)

PATIENCE = 10.0


class Sdk:
    """Both clients of the SDK under one roof; the async ones are driven to their end call by call."""

    def __init__(self, url: str, key: str, is_async: bool):
        self.loop = asyncio.new_event_loop() if is_async else None
        package: Any = aio if is_async else jobrouter
        credential = AzureKeyCredential(key)
        kinds = (package.JobRouterClient, package.JobRouterAdministrationClient)
        self.clients = [kind(url, credential) for kind in kinds]

    def __getattr__(self, name: str) -> Callable[..., Any]:
        method = next(getattr(client, name) for client in self.clients if hasattr(client, name))

        def call(*args: Any, **options: Any) -> Any:
            result = method(*args, **options)
            if self.loop and inspect.isawaitable(result):
                return self.loop.run_until_complete(result)
            if self.loop and hasattr(result, "__aiter__"):
                return self.loop.run_until_complete(collect(result))
            return list(result) if hasattr(result, "__next__") else result

        return call

    def close(self) -> None:
        for client in self.clients:
            closed = client.close()
            if self.loop:
                self.loop.run_until_complete(closed)
        if self.loop:
            self.loop.close()


async def collect(pages: Any) -> list[Any]:
    return [item async for item in pages]


@pytest.fixture(params=["sync", "aio"])
def sdk(request: pytest.FixtureRequest, served: Any) -> Iterator[Sdk]:
    client = Sdk(served.url, served.key, request.param == "aio")
    yield client
    client.close()


@pytest.fixture
def new() -> Callable[[str], str]:
    """Makes ids that no other test has: with characters that have to be escaped."""
    mark = uuid.uuid4().hex[:8]
    return lambda name: f"{name} {mark}/é:1"


@pytest.fixture
def queue(sdk: Sdk, new: Callable[[str], str]) -> str:
    """A queue of its own."""
    policy = m.DistributionPolicy(offer_expires_after_seconds=60, mode=m.LongestIdleMode())
    sdk.upsert_distribution_policy(new("dp"), policy)
    sdk.upsert_queue(new("queue"), m.RouterQueue(distribution_policy_id=new("dp")))
    return new("queue")


def register(sdk: Sdk, worker_id: str, queue: str, **more: Any) -> m.RouterWorker:
    channels = [m.RouterChannel(channel_id="voice", capacity_cost_per_job=1)]
    given = {"capacity": 1, "queues": [queue], "channels": channels, "available_for_offers": True, **more}
    worker: m.RouterWorker = sdk.upsert_worker(worker_id, m.RouterWorker(**given))
    return worker


def offers_of(sdk: Sdk, worker_id: str, count: int = 1) -> list[m.RouterJobOffer]:
    """The worker's open offers, as soon as there are so many."""
    end = time.monotonic() + PATIENCE
    while len(offers := sdk.get_worker(worker_id).offers) != count:
        assert time.monotonic() < end, f"{len(offers)} offers instead of {count}"
    return list(offers)


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


def test_queues(sdk: Sdk, queue: str, new: Callable[[str], str]) -> None:
    changed = sdk.upsert_queue(queue, name="n", labels={"a": 1, "b": 1.5, "Id": "forged"})
    assert changed.labels == {"Id": queue, "a": 1, "b": 1.5}
    assert sdk.upsert_queue(queue, labels={"a": None}).labels == {"Id": queue, "b": 1.5}
    assert sdk.get_queue(queue).name == "n"
    statistics = sdk.get_queue_statistics(queue)
    assert (statistics.queue_id, statistics.length) == (queue, 0)
    assert queue in [item.id for item in sdk.list_queues(results_per_page=1)]
    with pytest.raises(HttpResponseError) as refused:
        sdk.delete_distribution_policy(new("dp"))
    assert refused.value.status_code == 400
    assert [detail.code for detail in getattr(refused.value.error, "details", [])] == [
        "QueueExistsWithDistributionPolicy"
    ]
    sdk.upsert_worker(new("w"), capacity=1, queues=[queue])
    with pytest.raises(ResourceExistsError, match="There is an assigned worker to this queue"):
        sdk.delete_queue(queue)
    sdk.delete_worker(new("w"))
    sdk.delete_queue(queue)
    with pytest.raises(ResourceNotFoundError, match="The item was not found"):
        sdk.get_queue(queue)
    with pytest.raises(HttpResponseError, match="does not exist"):
        sdk.upsert_queue(queue, m.RouterQueue(distribution_policy_id="nope"))


def test_conditional_requests(sdk: Sdk, queue: str) -> None:
    read = sdk.get_queue(queue)
    changed = sdk.upsert_queue(queue, name="a", etag=read.etag, match_condition=MatchConditions.IfNotModified)
    with pytest.raises(ResourceModifiedError):
        sdk.upsert_queue(queue, name="b", etag=read.etag, match_condition=MatchConditions.IfNotModified)
    with pytest.raises(ResourceExistsError):
        sdk.upsert_queue(queue, m.RouterQueue(name="c"), match_condition=MatchConditions.IfMissing)
    with pytest.raises(ResourceNotFoundError):
        sdk.upsert_queue(queue + "?", name="d", match_condition=MatchConditions.IfPresent)
    yesterday = datetime.datetime.now(datetime.UTC) - datetime.timedelta(days=1)
    with pytest.raises(HttpResponseError) as refused:
        sdk.upsert_queue(queue, name="e", if_unmodified_since=yesterday)
    assert refused.value.status_code == 412
    assert sdk.get_queue(queue).etag == changed.etag


def test_workers(sdk: Sdk, queue: str, new: Callable[[str], str]) -> None:
    worker = register(sdk, new("w"), queue, labels={"a": 1}, tags={"t": True}, max_concurrent_offers=2)
    assert (worker.state, worker.load_ratio, worker.max_concurrent_offers) == ("active", 0, 2)
    assert worker.labels == {"Id": new("w"), "a": 1}
    assert worker.offers == []
    inactive = sdk.upsert_worker(new("w"), available_for_offers=False)
    assert (inactive.state, inactive.available_for_offers, inactive.capacity) == ("inactive", False, 1)
    for query, found in (
        ({"state": "inactive"}, True),
        ({"state": "active"}, False),
        ({"channel_id": "voice", "has_capacity": True}, True),
        ({"channel_id": "chat"}, False),
        ({}, True),
    ):
        listed = sdk.list_workers(queue_id=queue, results_per_page=1, **query)
        assert [item.id for item in listed] == [new("w")] * found, query
    sdk.delete_worker(new("w"))
    sdk.delete_worker(new("w"))
    with pytest.raises(ResourceNotFoundError):
        sdk.get_worker(new("w"))


def test_jobs(sdk: Sdk, queue: str, new: Callable[[str], str]) -> None:
    job = sdk.upsert_job(
        new("j"),
        m.RouterJob(
            channel_id="chat",
            queue_id=queue,
            priority=5,
            channel_reference="ref",
            labels={"a": 1, "b": "x"},
            tags={"t": 1.5},
            notes=[m.RouterJobNote(message="first")],
            requested_worker_selectors=[
                m.RouterWorkerSelector(
                    key="a", label_operator="equal", value=1, expires_after_seconds=600, expedite=True
                )
            ],
        ),
    )
    assert job.status == "created"
    read = sdk.get_job(new("j"))
    assert (read.status, read.priority, read.labels) == ("queued", 5, {"a": 1, "b": "x"})
    assert read.requested_worker_selectors[0].status == "active"
    assert read.requested_worker_selectors[0].expires_at == read.enqueued_at + datetime.timedelta(seconds=600)
    assert sdk.upsert_job(new("j"), read).etag == read.etag
    assert sdk.upsert_job(new("j"), labels={"b": None}).labels == {"a": 1}
    place = sdk.get_queue_position(new("j"))
    assert (place.position, place.queue_length, place.queue_id) == (1, 1, queue)
    assert sdk.get_queue_statistics(queue).length == 1
    with pytest.raises(HttpResponseError, match="no classification policy"):
        sdk.reclassify_job(new("j"))
    with pytest.raises(ResourceExistsError, match="neither closed nor cancelled"):
        sdk.delete_job(new("j"))
    sdk.cancel_job(new("j"), m.CancelJobOptions(note="enough"))
    cancelled = sdk.get_job(new("j"))
    assert (cancelled.status, cancelled.disposition_code) == ("cancelled", "Cancelled")
    assert [note.message for note in cancelled.notes] == ["first", "enough"]
    with pytest.raises(ResourceExistsError):
        sdk.cancel_job(new("j"))
    revived = sdk.upsert_job(new("j"), priority=6)
    assert (revived.status, revived.notes, revived.labels) == ("created", [], {"a": 1})
    sdk.cancel_job(new("j"))
    sdk.delete_job(new("j"))
    with pytest.raises(ResourceNotFoundError):
        sdk.get_job(new("j"))


def test_suspended_job_is_activated(sdk: Sdk, queue: str, new: Callable[[str], str]) -> None:
    job = sdk.upsert_job(new("j"), channel_id="chat", queue_id=queue, matching_mode={"kind": "suspend"})
    assert (job.status, job.matching_mode.kind) == ("waitingForActivation", "suspend")
    job = sdk.upsert_job(new("j"), matching_mode={"kind": "queueAndMatch"}, priority=2)
    assert (job.status, job.matching_mode.kind, job.priority) == ("queued", "queueAndMatch", 2)
    assert job.enqueued_at


def test_mode_without_its_kind_is_no_guess(sdk: Sdk, queue: str, new: Callable[[str], str]) -> None:
    sdk.upsert_job(new("j"), channel_id="chat", queue_id=queue, matching_mode={"kind": "suspend"})
    for job_id in (new("j"), new("j2")):
        with pytest.raises(HttpResponseError, match="kind' is required"):
            sdk.upsert_job(job_id, channel_id="chat", queue_id=queue, matching_mode={})


def test_pages_and_filters_of_jobs(sdk: Sdk, queue: str, new: Callable[[str], str]) -> None:
    made = [new(f"j{i}") for i in range(3)]
    for job_id in made:
        sdk.upsert_job(job_id, channel_id="chat", queue_id=queue)
    sdk.cancel_job(made[0])
    for size in (1, 2, 100):
        listed = sdk.list_jobs(queue_id=queue, results_per_page=size)
        assert [job.id for job in listed] == made[::-1]
        listed = sdk.list_jobs(queue_id=queue, status="active", channel_id="chat", results_per_page=size)
        assert [job.id for job in listed] == made[:0:-1]
    assert sdk.list_jobs(queue_id=queue, scheduled_after=datetime.datetime.now(datetime.UTC)) == []


def test_assignment(sdk: Sdk, queue: str, new: Callable[[str], str]) -> None:
    register(sdk, new("w"), queue)
    sdk.upsert_job(new("j"), channel_id="voice", queue_id=queue)
    offer = offers_of(sdk, new("w"))[0]
    assert (offer.job_id, offer.capacity_cost) == (new("j"), 1)
    assert offer.offered_at
    assert offer.expires_at == offer.offered_at + datetime.timedelta(seconds=60)
    accepted = sdk.accept_job_offer(new("w"), offer.offer_id)
    assert (accepted.job_id, accepted.worker_id) == (new("j"), new("w"))
    with pytest.raises(ResourceNotFoundError, match="Offer not found"):
        sdk.decline_job_offer(new("w"), offer.offer_id)
    enqueued_at = sdk.get_job(new("j")).enqueued_at
    result = sdk.unassign_job(new("j"), accepted.assignment_id)
    assert (result.job_id, result.unassignment_count) == (new("j"), 1)
    offer = offers_of(sdk, new("w"))[0]
    job = sdk.get_job(new("j"))
    assert (job.status, job.assignments, job.enqueued_at) == ("queued", {}, enqueued_at)
    accepted = sdk.accept_job_offer(new("w"), offer.offer_id)
    worker = sdk.get_worker(new("w"))
    assert [held.assignment_id for held in worker.assigned_jobs] == [accepted.assignment_id]
    with pytest.raises(ResourceExistsError):
        sdk.close_job(new("j"), accepted.assignment_id)
    sdk.complete_job(new("j"), accepted.assignment_id, m.CompleteJobOptions(note="one"))
    sdk.close_job(new("j"), accepted.assignment_id, m.CloseJobOptions(note="two"))
    job = sdk.get_job(new("j"))
    assert (job.status, job.disposition_code, len(job.notes)) == ("closed", "Closed", 2)
    assignment = job.assignments[accepted.assignment_id]
    assert assignment.assigned_at <= assignment.completed_at <= assignment.closed_at
    assert sdk.get_worker(new("w")).load_ratio == 0


def test_decline_with_retry(sdk: Sdk, queue: str, new: Callable[[str], str]) -> None:
    register(sdk, new("w"), queue)
    sdk.upsert_job(new("j"), channel_id="voice", queue_id=queue)
    offer = offers_of(sdk, new("w"))[0]
    never = datetime.datetime.min.replace(tzinfo=datetime.UTC)
    sdk.decline_job_offer(new("w"), offer.offer_id, m.DeclineJobOfferOptions(retry_offer_at=never))
    assert sdk.get_worker(new("w")).offers == []
    sdk.upsert_worker(new("w"), available_for_offers=False)
    sdk.upsert_worker(new("w"), available_for_offers=True)
    offer = offers_of(sdk, new("w"))[0]
    past = datetime.datetime.now(datetime.UTC) - datetime.timedelta(hours=1)
    sdk.decline_job_offer(new("w"), offer.offer_id, m.DeclineJobOfferOptions(retry_offer_at=past))
    assert offers_of(sdk, new("w"))[0].offer_id != offer.offer_id


def test_limit_of_concurrent_offers(sdk: Sdk, queue: str, new: Callable[[str], str]) -> None:
    register(sdk, new("w"), queue, capacity=10, max_concurrent_offers=1)
    for name in ("j1", "j2"):
        sdk.upsert_job(new(name), channel_id="voice", queue_id=queue)
    first = offers_of(sdk, new("w"))[0]
    assert first.job_id == new("j1")
    sdk.accept_job_offer(new("w"), first.offer_id)
    assert offers_of(sdk, new("w"))[0].job_id == new("j2")


def test_what_does_not_act_yet(sdk: Sdk, queue: str, new: Callable[[str], str]) -> None:
    later = datetime.datetime(2100, 1, 1, tzinfo=datetime.UTC)
    for options in (
        {"matching_mode": m.ScheduleAndSuspendMode(schedule_at=later)},
        {"classification_policy_id": "cp"},
    ):
        with pytest.raises(HttpResponseError) as refused:
            sdk.upsert_job(new("j"), channel_id="voice", queue_id=queue, **options)
        assert refused.value.status_code == 501


def test_other_keys_are_refused(served: Any) -> None:
    client = Sdk(served.url, "b3RoZXI=", False)
    with pytest.raises(ClientAuthenticationError, match="Denied"):
        client.get_job("j")
    client.close()
