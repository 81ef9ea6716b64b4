"""Classification policies through the official clients: the scenarios of their documentation and tests."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
from azure.communication.jobrouter import models as m
from azure.core.exceptions import HttpResponseError, ResourceExistsError, ResourceNotFoundError

from tests.sdk.clients import Sdk, offers_of, register, until

New = Callable[[str], str]


def wants(key: str, value: Any, operator: str = "equal") -> m.RouterQueueSelector:
    return m.RouterQueueSelector(key=key, label_operator=operator, value=value)


def asks(key: str, value: Any, operator: str = "equal", **more: Any) -> m.RouterWorkerSelector:
    return m.RouterWorkerSelector(key=key, label_operator=operator, value=value, **more)


def passes(key: str) -> m.PassThroughQueueSelectorAttachment:
    return m.PassThroughQueueSelectorAttachment(key=key, label_operator="equal")


def formula(text: str) -> m.ExpressionRouterRule:
    return m.ExpressionRouterRule(expression=text)


def classify(sdk: Sdk, new: New, **given: Any) -> str:
    """A classification policy."""
    sdk.upsert_classification_policy(new("cp"), m.ClassificationPolicy(**given))
    return new("cp")


def create(sdk: Sdk, job_id: str, policy: str, **given: Any) -> m.RouterJob:
    """A job that is classified; as it is a moment later."""
    job = m.RouterJob(channel_id="voice", classification_policy_id=policy, **given)
    assert sdk.upsert_job(job_id, job).status == "pendingClassification"
    found: m.RouterJob = until(lambda: sdk.get_job(job_id), lambda job: job.status != "pendingClassification")
    return found


def test_priority_by_a_policy(sdk: Sdk, queue: str, new: New) -> None:
    """A policy with only a prioritization rule, and a job with a queue of its own."""
    policy = classify(sdk, new, prioritization_rule=m.StaticRouterRule(value=10))
    job = create(sdk, new("j"), policy, queue_id=queue)
    assert (job.status, job.priority, job.queue_id) == ("queued", 10, queue)
    assert job.classification_policy_id == policy
    assert [j.id for j in sdk.list_jobs(classification_policy_id=policy)] == [new("j")]


def test_priority_by_an_expression(sdk: Sdk, queue: str, new: New) -> None:
    rule = formula("If(job.Escalated = true, 10, 5)")
    policy = classify(sdk, new, prioritization_rule=rule, fallback_queue_id=queue)
    found = [create(sdk, new(f"j{x}"), policy, labels={"Escalated": x}).priority for x in (True, False)]
    assert found == [10, 5]


def test_the_fallback_queue(sdk: Sdk, queue: str, new: New) -> None:
    policy = classify(sdk, new, fallback_queue_id=queue)
    job = create(sdk, new("j"), policy)
    assert (job.queue_id, job.priority) == (queue, 1)


def test_a_queue_that_does_not_exist_falls_back(sdk: Sdk, queue: str, new: New) -> None:
    attachment = m.StaticQueueSelectorAttachment(queue_selector=wants("Id", new("nobody")))
    policy = classify(sdk, new, fallback_queue_id=queue, queue_selector_attachments=[attachment])
    assert create(sdk, new("j"), policy).queue_id == queue


def test_the_queue_of_a_job_goes_before_the_fallback(sdk: Sdk, queue: str, new: New) -> None:
    sdk.upsert_queue(new("own"), m.RouterQueue(distribution_policy_id=new("dp")))
    policy = classify(sdk, new, fallback_queue_id=queue)
    assert create(sdk, new("j"), policy, queue_id=new("own")).queue_id == new("own")


def test_combined_attachments(sdk: Sdk, queue: str, new: New) -> None:
    """Three labels passed through, a condition and a fixed one pick the right of two queues."""
    common = {"Region": "NA", "Product": "O365", "UniqueIdentifier": new("u"), "Tier": "gold"}
    for lang in ("en", "fr"):
        labels = {**common, "Lang": lang}
        sdk.upsert_queue(new(lang), m.RouterQueue(distribution_policy_id=new("dp"), labels=labels))
    condition = m.ConditionalQueueSelectorAttachment(
        condition=formula('If(job.Product = "O365", true, false)'), queue_selectors=[wants("Tier", "gold")]
    )
    identifier = m.StaticQueueSelectorAttachment(queue_selector=wants("UniqueIdentifier", new("u")))
    attachments = [passes("Region"), passes("Lang"), passes("Product"), condition, identifier]
    policy = classify(sdk, new, fallback_queue_id=queue, queue_selector_attachments=attachments)
    for lang, found in (("en", new("en")), ("fr", new("fr")), ("de", queue)):
        labels = {"Region": "NA", "Product": "O365", "Lang": lang}
        assert create(sdk, new(f"j-{lang}"), policy, labels=labels).queue_id == found


def test_worker_selectors_of_all_kinds(sdk: Sdk, queue: str, new: New) -> None:
    attachments = [
        m.StaticWorkerSelectorAttachment(worker_selector=asks("Foo", "Bar")),
        m.ConditionalWorkerSelectorAttachment(
            condition=formula("job.Urgent = true"), worker_selectors=[asks("Foo", 10, "greaterThan")]
        ),
        m.PassThroughWorkerSelectorAttachment(key="Skill", label_operator="equal", expires_after_seconds=600),
        m.RuleEngineWorkerSelectorAttachment(rule=m.DirectMapRouterRule(kind="directMap")),
        m.WeightedAllocationWorkerSelectorAttachment(
            allocations=[m.WorkerWeightedAllocation(weight=1, worker_selectors=[asks("Vendor", "A")])]
        ),
    ]
    policy = classify(sdk, new, worker_selector_attachments=attachments)
    labels = {"Urgent": False, "Skill": 1.5}
    own = [asks("Own", True)]
    job = create(
        sdk, new("j"), policy, queue_id=queue, labels=labels, priority=3, requested_worker_selectors=own
    )
    found = [(s.key, s.label_operator, s.value) for s in job.attached_worker_selectors]
    assert found == [
        ("Foo", "equal", "Bar"),
        ("Skill", "equal", 1.5),
        ("Skill", "equal", 1.5),
        ("Urgent", "equal", False),
        ("Vendor", "equal", "A"),
    ]
    passed = job.attached_worker_selectors[1]
    assert (passed.status, passed.expires_after_seconds) == ("active", 600)
    assert passed.expires_at > job.enqueued_at
    assert [s.key for s in job.requested_worker_selectors] == ["Own"]
    assert job.priority == 3


def test_the_right_worker_is_asked(sdk: Sdk, queue: str, new: New) -> None:
    """A policy may only attach selectors: the job brings its queue."""
    register(sdk, new("w1"), queue, labels={"Location": "US", "Skill": 5})
    register(sdk, new("w2"), queue, labels={"Location": "CA", "Skill": 9})
    attachments = [
        m.PassThroughWorkerSelectorAttachment(key="Location", label_operator="equal"),
        m.StaticWorkerSelectorAttachment(worker_selector=asks("Skill", 7, "greaterThanOrEqual")),
    ]
    policy = classify(sdk, new, worker_selector_attachments=attachments)
    create(sdk, new("j"), policy, queue_id=queue, labels={"Location": "CA"})
    assert [offer.job_id for offer in offers_of(sdk, new("w2"))] == [new("j")]
    assert sdk.get_worker(new("w1")).offers == []


def test_weighted_allocation(sdk: Sdk, queue: str, new: New) -> None:
    shares = [
        m.QueueWeightedAllocation(weight=0.3, queue_selectors=[wants("Id", queue)]),
        m.QueueWeightedAllocation(weight=0.7, queue_selectors=[wants("Id", new("b"))]),
    ]
    sdk.upsert_queue(new("b"), m.RouterQueue(distribution_policy_id=new("dp")))
    attachment = m.WeightedAllocationQueueSelectorAttachment(allocations=shares)
    policy = classify(sdk, new, queue_selector_attachments=[attachment])
    drawn = Counter(create(sdk, new(f"j{n}"), policy).queue_id for n in range(40))
    assert set(drawn) == {queue, new("b")}


def test_labels_classify_again(sdk: Sdk, queue: str, new: New) -> None:
    """Only what really changes does: a job that is sent back as it was read stays where it is."""
    sdk.upsert_queue(new("vip"), m.RouterQueue(distribution_policy_id=new("dp"), labels={"Tier": new("vip")}))
    policy = classify(
        sdk,
        new,
        fallback_queue_id=queue,
        queue_selector_attachments=[passes("Tier")],
        prioritization_rule=formula(f'If(job.Tier = "{new("vip")}", 10, 1)'),
    )
    job = create(sdk, new("j"), policy, labels={"Tier": "none"})
    assert (job.queue_id, job.priority) == (queue, 1)
    assert sdk.upsert_job(new("j"), job).status == "queued"
    assert sdk.get_job(new("j")).etag == job.etag
    again = sdk.upsert_job(
        new("j"), labels={"Tier": "none"}, priority=1, classification_policy_id=policy, queue_id=queue
    )
    assert again.status == "queued"
    job.labels = {"Tier": new("vip")}
    assert sdk.upsert_job(new("j"), job).status == "pendingClassification"
    moved = until(lambda: sdk.get_job(new("j")), lambda job: job.status == "queued")
    assert (moved.queue_id, moved.priority, moved.enqueued_at) == (new("vip"), 10, job.enqueued_at)
    sdk.reclassify_job(new("j"))
    assert sdk.get_job(new("j")).queue_id == new("vip")


def test_a_policy_later(sdk: Sdk, queue: str, new: New) -> None:
    policy = classify(sdk, new, prioritization_rule=m.StaticRouterRule(value=7))
    sdk.upsert_job(new("j"), m.RouterJob(channel_id="voice", queue_id=queue))
    changed = sdk.upsert_job(new("j"), classification_policy_id=policy)
    assert changed.status == "pendingClassification"
    job = until(lambda: sdk.get_job(new("j")), lambda job: job.status == "queued")
    assert (job.priority, job.queue_id) == (7, queue)


def test_a_failure_and_its_way_back(sdk: Sdk, queue: str, new: New) -> None:
    policy = classify(sdk, new, queue_selector_attachments=[passes("Tier")])
    job = create(sdk, new("j"), policy, labels={"Tier": new("nothing")})
    assert (job.status, job.queue_id) == ("classificationFailed", None)
    failed = [j.id for j in sdk.list_jobs(status="classificationFailed", classification_policy_id=policy)]
    assert failed == [new("j")]
    assert sdk.upsert_job(new("j"), queue_id=queue).status == "queued"
    sdk.upsert_job(new("j2"), m.RouterJob(channel_id="voice", classification_policy_id=policy))
    sdk.delete_job(new("j2"))
    with pytest.raises(ResourceNotFoundError):
        sdk.get_job(new("j2"))


def test_a_suspended_job_is_classified_when_it_is_activated(sdk: Sdk, queue: str, new: New) -> None:
    policy = classify(sdk, new, fallback_queue_id=queue, prioritization_rule=m.StaticRouterRule(value=5))
    job = m.RouterJob(
        channel_id="voice", classification_policy_id=policy, matching_mode=m.SuspendMode(kind="suspend")
    )
    assert sdk.upsert_job(new("j"), job).status == "waitingForActivation"
    assert sdk.get_job(new("j")).queue_id is None
    mode = m.QueueAndMatchMode(kind="queueAndMatch")
    assert sdk.upsert_job(new("j"), matching_mode=mode).status == "pendingClassification"
    activated = until(lambda: sdk.get_job(new("j")), lambda job: job.status == "queued")
    assert (activated.queue_id, activated.priority) == (queue, 5)


def test_a_policy_in_use(sdk: Sdk, queue: str, new: New) -> None:
    policy = classify(sdk, new, fallback_queue_id=queue)
    create(sdk, new("j"), policy)
    with pytest.raises(HttpResponseError, match="ActiveJobWithClassificationPolicyExist"):
        sdk.delete_classification_policy(policy)
    with pytest.raises(ResourceExistsError, match="active job with this queue"):
        sdk.delete_queue(queue)
    sdk.cancel_job(new("j"))
    sdk.delete_classification_policy(policy)
    sdk.delete_queue(queue)


def test_wrong_policies(sdk: Sdk, queue: str, new: New) -> None:
    for rule in (formula("If(job.A"), formula("Nothing(1)"), {"kind": "magic"}):
        with pytest.raises(HttpResponseError, match="prioritizationRule") as refused:
            sdk.upsert_classification_policy(new("cp"), {"prioritizationRule": rule})
        assert refused.value.status_code == 400
    with pytest.raises(HttpResponseError, match="does not exist") as refused:
        sdk.upsert_job(new("j"), m.RouterJob(channel_id="voice", classification_policy_id=new("cp")))
    assert refused.value.status_code == 400
