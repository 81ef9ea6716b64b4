"""Jobs until they are assigned."""

from __future__ import annotations

import datetime
from collections.abc import Callable

import pytest
from azure.communication.jobrouter import models as m
from azure.core.exceptions import (
    HttpResponseError,
    ResourceExistsError,
    ResourceNotFoundError,
)

from tests.sdk.clients import Sdk, offers_of, register, until


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


def test_scheduled_job_is_activated(sdk: Sdk, queue: str, new: Callable[[str], str]) -> None:
    """It comes due by itself; it is offered only when it is activated, and keeps the time of its schedule."""
    register(sdk, new("w"), queue)
    soon = datetime.datetime.now(datetime.UTC) + datetime.timedelta(seconds=1)
    job = sdk.upsert_job(
        new("j"),
        channel_id="voice",
        queue_id=queue,
        matching_mode=m.ScheduleAndSuspendMode(schedule_at=soon),
    )
    assert job.status == "pendingSchedule"
    job = sdk.get_job(new("j"))
    assert (job.status, job.matching_mode.kind, job.scheduled_at) == ("scheduled", "scheduleAndSuspend", None)
    set_for = job.matching_mode.schedule_at
    assert abs(set_for - soon) < datetime.timedelta(milliseconds=1)
    assert new("j") in [item.id for item in sdk.list_jobs(status="scheduled", scheduled_before=set_for)]
    job = until(lambda: sdk.get_job(new("j")), lambda job: job.status == "waitingForActivation")
    assert (job.matching_mode.schedule_at, job.enqueued_at) == (set_for, None)
    assert job.scheduled_at >= set_for
    listed = sdk.list_jobs(
        status="active", scheduled_after=job.scheduled_at, scheduled_before=job.scheduled_at
    )
    assert new("j") in [item.id for item in listed]
    assert sdk.get_worker(new("w")).offers == []
    active = sdk.upsert_job(new("j"), matching_mode={"kind": "queueAndMatch"}, priority=10)
    assert (active.status, active.priority, active.scheduled_at) == ("queued", 10, job.scheduled_at)
    assert active.enqueued_at
    assert offers_of(sdk, new("w"))[0].job_id == new("j")


def test_schedules_far_ahead_and_past(sdk: Sdk, queue: str, new: Callable[[str], str]) -> None:
    given = {"channel_id": "voice", "queue_id": queue}
    later = datetime.datetime(2100, 1, 1, tzinfo=datetime.UTC)
    sdk.upsert_job(new("j"), **given, matching_mode=m.ScheduleAndSuspendMode(schedule_at=later))
    job = sdk.get_job(new("j"))
    assert (job.status, job.matching_mode.schedule_at) == ("scheduled", later)
    assert sdk.upsert_job(new("j"), job).etag == job.etag
    with pytest.raises(ResourceExistsError):
        sdk.delete_queue(queue)
    sdk.upsert_job(new("j"), matching_mode={"kind": "queueAndMatch"})
    assert (sdk.get_job(new("j")).status, sdk.get_job(new("j")).scheduled_at) == ("queued", None)
    for n, past in enumerate((datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC), datetime.datetime.min)):
        job = sdk.upsert_job(new(f"p{n}"), **given, matching_mode=m.ScheduleAndSuspendMode(schedule_at=past))
        assert job.status == "pendingSchedule"
        job = sdk.get_job(new(f"p{n}"))
        assert job.status == "waitingForActivation"
        assert job.scheduled_at.year > 2020


def test_mode_without_its_kind_is_no_guess(sdk: Sdk, queue: str, new: Callable[[str], str]) -> None:
    sdk.upsert_job(new("j"), channel_id="chat", queue_id=queue, matching_mode={"kind": "suspend"})
    for job_id in (new("j"), new("j2")):
        with pytest.raises(HttpResponseError, match="kind' is required"):
            sdk.upsert_job(job_id, channel_id="chat", queue_id=queue, matching_mode={})
