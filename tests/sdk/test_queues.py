"""Queues."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from azure.communication.jobrouter import models as m
from azure.core.exceptions import (
    HttpResponseError,
    ResourceExistsError,
    ResourceNotFoundError,
)

from tests.sdk.clients import Sdk


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
