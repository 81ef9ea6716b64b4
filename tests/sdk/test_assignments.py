"""Offers and assignments."""

from __future__ import annotations

import datetime
from collections.abc import Callable

import pytest
from azure.communication.jobrouter import models as m
from azure.core.exceptions import (
    ResourceExistsError,
    ResourceNotFoundError,
)

from tests.sdk.clients import LIMITS_OFFERS, Sdk, offers_of, register


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
    """One offer at a time where the interface has the limit; it does not show in the older one."""
    limit = {"max_concurrent_offers": 1} if LIMITS_OFFERS else {}
    worker = register(sdk, new("w"), queue, capacity=10, **limit)
    assert getattr(worker, "max_concurrent_offers", None) == limit.get("max_concurrent_offers")
    for name in ("j1", "j2"):
        sdk.upsert_job(new(name), channel_id="voice", queue_id=queue)
    offers = {offer.job_id: offer.offer_id for offer in offers_of(sdk, new("w"), 1 if LIMITS_OFFERS else 2)}
    assert set(offers) == ({new("j1")} if LIMITS_OFFERS else {new("j1"), new("j2")})
    sdk.accept_job_offer(new("w"), offers[new("j1")])
    (last,) = offers_of(sdk, new("w"))
    assert last.job_id == new("j2")
    sdk.accept_job_offer(new("w"), last.offer_id)
    assert offers_of(sdk, new("w"), 0) == []
    assert sdk.get_worker(new("w")).load_ratio == 0.2
