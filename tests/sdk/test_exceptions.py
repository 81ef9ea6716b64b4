"""Exception policies at work: rules of a queue's length and of the wait in it."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from azure.communication.jobrouter import models as m

from tests.sdk.clients import Sdk, offers_of, register, until


@pytest.fixture
def backup(sdk: Sdk, queue: str, new: Callable[[str], str]) -> str:
    """A second queue."""
    sdk.upsert_queue(new("backup"), m.RouterQueue(distribution_policy_id=new("dp")))
    return new("backup")


def test_the_eleventh_job_is_sent_to_the_backup_queue(
    sdk: Sdk, queue: str, backup: str, new: Callable[[str], str]
) -> None:
    """Ten jobs wait; the next one is changed before it joins."""
    action = m.ManualReclassifyExceptionAction(
        queue_id=backup,
        priority=10,
        worker_selectors=[m.RouterWorkerSelector(key="HandleEscalation", label_operator="equal", value=True)],
    )
    rule = m.ExceptionRule(id="r", trigger=m.QueueLengthExceptionTrigger(threshold=10), actions=[action])
    sdk.upsert_exception_policy(new("ep"), m.ExceptionPolicy(exception_rules=[rule]))
    sdk.upsert_queue(queue, exception_policy_id=new("ep"))
    for n in range(11):
        job = sdk.upsert_job(new(f"j{n}"), channel_id="voice", queue_id=queue)
        assert (job.status, job.queue_id) == ("created", queue)
    tenth, eleventh = sdk.get_job(new("j9")), sdk.get_job(new("j10"))
    assert (tenth.queue_id, tenth.priority, tenth.requested_worker_selectors) == (queue, 1, [])
    assert (eleventh.status, eleventh.queue_id, eleventh.priority) == ("queued", backup, 10)
    assert [selector.key for selector in eleventh.requested_worker_selectors] == ["HandleEscalation"]
    register(sdk, new("w"), backup, labels={"HandleEscalation": True})
    assert offers_of(sdk, new("w"))[0].job_id == new("j10")


def test_a_job_that_waits_too_long(sdk: Sdk, queue: str, backup: str, new: Callable[[str], str]) -> None:
    """It is moved to another queue, and cancelled when nobody takes it there either."""
    half = m.WaitTimeExceptionTrigger(threshold_seconds=0.5)
    move = m.ManualReclassifyExceptionAction(queue_id=backup)
    end = m.CancelExceptionAction(note="nobody came", disposition_code="late")
    for policy, of, action in ((new("ep"), queue, move), (new("ep2"), backup, end)):
        rule = m.ExceptionRule(id="r", trigger=half, actions=[action])
        sdk.upsert_exception_policy(policy, m.ExceptionPolicy(exception_rules=[rule]))
        sdk.upsert_queue(of, exception_policy_id=policy)
    sdk.upsert_job(new("j"), channel_id="voice", queue_id=queue)
    before = sdk.get_job(new("j"))
    assert before.queue_id == queue
    ended = until(lambda: sdk.get_job(new("j")), lambda job: job.status == "cancelled")
    assert (ended.queue_id, ended.enqueued_at) == (backup, before.enqueued_at)
    assert (ended.disposition_code, [note.message for note in ended.notes]) == ("late", ["nobody came"])


def test_a_job_that_waits_is_escalated(sdk: Sdk, queue: str, new: Callable[[str], str]) -> None:
    """The action gives it another label, with which its policy sends it to another queue."""
    rule = m.ExceptionRule(
        id="r",
        trigger=m.WaitTimeExceptionTrigger(threshold_seconds=0.5),
        actions=[m.ReclassifyExceptionAction(labels_to_upsert={"Escalated": True})],
    )
    sdk.upsert_exception_policy(new("ep"), m.ExceptionPolicy(exception_rules=[rule]))
    sdk.upsert_queue(queue, exception_policy_id=new("ep"))
    sdk.upsert_queue(new("xbox"), m.RouterQueue(distribution_policy_id=new("dp"), labels={"Escalated": True}))
    passed = m.PassThroughQueueSelectorAttachment(key="Escalated", label_operator="equal")
    policy = m.ClassificationPolicy(
        prioritization_rule=m.ExpressionRouterRule(expression="If(job.Escalated = true, 10, 1)"),
        queue_selector_attachments=[
            passed,
            m.StaticQueueSelectorAttachment(
                queue_selector=m.RouterQueueSelector(key="Id", label_operator="notEqual", value=queue)
            ),
        ],
    )
    sdk.upsert_classification_policy(new("cp"), policy)
    labels = {"Escalated": False}
    sdk.upsert_job(
        new("j"), channel_id="voice", queue_id=queue, classification_policy_id=new("cp"), labels=labels
    )
    job = until(lambda: sdk.get_job(new("j")), lambda job: job.queue_id == new("xbox"))
    assert (job.status, job.priority, job.labels) == ("queued", 10, {"Escalated": True})
