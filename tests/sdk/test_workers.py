"""Workers."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from azure.core.exceptions import ResourceExistsError, ResourceNotFoundError

from tests.sdk.clients import Sdk, register


def test_workers(sdk: Sdk, queue: str, new: Callable[[str], str]) -> None:
    worker = register(sdk, new("w"), queue, labels={"a": 1, "b": "x"}, tags={"t": True})
    assert (worker.id, worker.state, worker.load_ratio) == (new("w"), "active", 0)
    assert worker.labels == {"Id": new("w"), "a": 1, "b": "x"}
    assert (worker.offers, worker.assigned_jobs) == ([], [])
    assert sdk.get_worker(new("w")).etag == worker.etag
    assert sdk.upsert_worker(new("w"), worker).etag == worker.etag
    changed = sdk.upsert_worker(new("w"), labels={"b": None}, capacity=2)
    assert (changed.labels, changed.tags, changed.capacity) == ({"Id": new("w"), "a": 1}, {"t": True}, 2)
    assert changed.etag != worker.etag
    inactive = sdk.upsert_worker(new("w"), available_for_offers=False)
    assert (inactive.state, inactive.available_for_offers, inactive.queues) == ("inactive", False, [queue])
    assert [channel.channel_id for channel in inactive.channels] == ["voice"]
    sdk.delete_worker(new("w"))
    sdk.delete_worker(new("w"))
    with pytest.raises(ResourceNotFoundError):
        sdk.get_worker(new("w"))


def test_worker_with_a_job_drains_and_is_not_deleted(sdk: Sdk, queue: str, new: Callable[[str], str]) -> None:
    register(sdk, new("w"), queue)
    sdk.upsert_job(new("j"), channel_id="voice", queue_id=queue)
    accepted = sdk.accept_job_offer(new("w"), sdk.get_worker(new("w")).offers[0].offer_id)
    assert sdk.upsert_worker(new("w"), available_for_offers=False).state == "draining"
    with pytest.raises(ResourceExistsError):
        sdk.delete_worker(new("w"))
    sdk.complete_job(new("j"), accepted.assignment_id)
    sdk.close_job(new("j"), accepted.assignment_id)
    assert sdk.get_worker(new("w")).state == "inactive"
    sdk.delete_worker(new("w"))
