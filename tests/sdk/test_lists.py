"""Lists: pages of 1 and 2, filters, order."""

from __future__ import annotations

import datetime
import itertools
from collections.abc import Callable
from typing import Any

import pytest
from azure.communication.jobrouter import models as m

from tests.sdk.clients import Sdk, register

LISTS: list[tuple[str, str, dict[str, Any]]] = [
    ("distribution_policy", "list_distribution_policies", {"offer_expires_after_seconds": 60}),
    ("exception_policy", "list_exception_policies", {"exception_rules": []}),
    ("classification_policy", "list_classification_policies", {"name": "n"}),
]


def listed(sdk: Sdk, name: str, size: int, **query: Any) -> list[str]:
    """The ids in all pages, none of which is too long. A filter may leave pages short, even empty."""
    pages = sdk.pages(name, size, **query)
    assert all(len(page) <= size for page in pages), (name, query)
    return list(itertools.chain(*pages))


@pytest.mark.parametrize("size", [1, 2])
def test_pages_of_configuration(sdk: Sdk, new: Callable[[str], str], size: int) -> None:
    """Policies and queues of all tests, with three of our own among them: newest first, none twice."""
    ours = [new(f"p{i}") for i in range(3)]
    mode = {"mode": m.LongestIdleMode()}
    for kind, _, body in LISTS:
        for name in ours:
            getattr(sdk, f"upsert_{kind}")(name, **body, **(mode if kind == "distribution_policy" else {}))
    for name in ours:
        sdk.upsert_queue(name, distribution_policy_id=ours[0])
    for name in (*(name for _, name, _ in LISTS), "list_queues"):
        ids = listed(sdk, name, size)
        assert ids[:3] == ours[::-1], name
        assert len(set(ids)) == len(ids), name
    for name in ours:
        sdk.delete_queue(name)
    for kind, _, _ in LISTS:
        for name in ours:
            getattr(sdk, f"delete_{kind}")(name)


@pytest.mark.parametrize("size", [1, 2, 100])
def test_pages_and_filters_of_jobs(sdk: Sdk, queue: str, new: Callable[[str], str], size: int) -> None:
    made = [new(f"j{i}") for i in range(5)]
    for i, job_id in enumerate(made):
        sdk.upsert_job(job_id, channel_id="chat" if i < 4 else "voice", queue_id=queue)
    sdk.cancel_job(made[0])
    register(sdk, new("w"), queue)
    offer = sdk.get_worker(new("w")).offers[0]
    sdk.accept_job_offer(new("w"), offer.offer_id)
    queries: list[tuple[dict[str, Any], list[str]]] = [
        ({}, made[::-1]),
        ({"status": "all"}, made[::-1]),
        ({"status": "active"}, made[:0:-1]),
        ({"status": "queued"}, made[3:0:-1]),
        ({"status": "assigned"}, made[4:]),
        ({"status": "cancelled", "channel_id": "chat"}, made[:1]),
        ({"channel_id": "chat"}, made[3::-1]),
        ({"channel_id": "nope"}, []),
        ({"classification_policy_id": "nope"}, []),
        ({"scheduled_before": datetime.datetime.now(datetime.UTC)}, []),
        ({"scheduled_after": datetime.datetime.now(datetime.UTC)}, []),
    ]
    for query, found in queries:
        assert listed(sdk, "list_jobs", size, queue_id=queue, **query) == found, query


@pytest.mark.parametrize("size", [1, 2])
def test_pages_and_filters_of_workers(sdk: Sdk, queue: str, new: Callable[[str], str], size: int) -> None:
    made = [new(f"w{i}") for i in range(4)]
    chat = [m.RouterChannel(channel_id="chat", capacity_cost_per_job=1)]
    for worker_id in made[:3]:
        register(sdk, worker_id, queue)
    register(sdk, made[3], queue, channels=chat)
    sdk.upsert_job(new("j"), channel_id="chat", queue_id=queue)
    sdk.accept_job_offer(made[3], sdk.get_worker(made[3]).offers[0].offer_id)
    sdk.upsert_worker(made[0], available_for_offers=False)
    queries: list[tuple[dict[str, Any], list[str]]] = [
        ({}, made[::-1]),
        ({"state": "all"}, made[::-1]),
        ({"state": "active"}, made[:0:-1]),
        ({"state": "inactive"}, made[:1]),
        ({"state": "draining"}, []),
        ({"channel_id": "voice"}, made[2::-1]),
        ({"channel_id": "voice", "state": "active", "has_capacity": True}, made[2:0:-1]),
        ({"has_capacity": False}, made[::-1]),
        ({"has_capacity": True}, made[2::-1]),
        ({"channel_id": "nope"}, []),
    ]
    for query, found in queries:
        assert listed(sdk, "list_workers", size, queue_id=queue, **query) == found, query
