"""The requests of which the load is made: name for the tables, method, target, body."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import msgspec

VERSION = "api-version=2024-01-18-preview"
CHANNEL = "voice"

CREATE = "create"
NEXT = "next offer"
ACCEPT = "accept"
DECLINE = "decline"
COMPLETE = "complete"
CLOSE = "close"
TIME_TO_OFFER = "time to offer"
LIFE = "whole life"

LOST = frozenset({403, 404, 409})
"""An offer that another has taken, or that has run out meanwhile: no failure."""

MERGED = frozenset({200, 201})


class Call(NamedTuple):
    """One request; ``wanted`` are the statuses of success."""

    name: str
    method: str
    target: str
    body: bytes = b""
    wanted: frozenset[int] = frozenset({200})


def _patch(name: str, path: str, body: Mapping[str, Any]) -> Call:
    return Call(name, "PATCH", f"{path}?{VERSION}", msgspec.json.encode(body), MERGED)


def policy(name: str, offer_seconds: float, concurrent: int) -> Call:
    """A distribution policy: the longest idle worker, or several at once."""
    mode = {"kind": "longestIdle", "minConcurrentOffers": 1, "maxConcurrentOffers": concurrent}
    body = {"offerExpiresAfterSeconds": offer_seconds, "mode": mode}
    return _patch("policy", f"/routing/distributionPolicies/{name}", body)


def queue(name: str, distribution: str) -> Call:
    """A queue."""
    return _patch("queue", f"/routing/queues/{name}", {"distributionPolicyId": distribution})


def sign_on(worker: str, queue_name: str, skill: str = "") -> Call:
    """A worker for one job at a time, available; also one that let an offer run out comes back so."""
    body = {
        "capacity": 1,
        "queues": [queue_name],
        "channels": [{"channelId": CHANNEL, "capacityCostPerJob": 1}],
        "labels": {"skill": skill} if skill else {},
        "availableForOffers": True,
    }
    return _patch("sign on", f"/routing/workers/{worker}", body)


def create(job: str, queue_name: str, number: int, skill: str = "") -> Call:
    """A job of about 540 bytes; with a skill only workers of that label fit."""
    body: dict[str, Any] = {
        "channelId": CHANNEL,
        "queueId": queue_name,
        "priority": 1,
        "channelReference": f"conversation-{number:08d}",
        "labels": {"language": "en", "product": f"product-{number % 20}", "tier": number % 3},
        "tags": {"caseId": f"CAS-{number:08d}", "source": "contact form", "summary": "x" * 280},
    }
    if skill:
        selector = {"key": "skill", "labelOperator": "equal", "value": skill}
        body["requestedWorkerSelectors"] = [selector]
    return _patch(CREATE, f"/routing/jobs/{job}", body)


def next_offer(worker: str, after: str, wait: int) -> Call:
    """The long poll of an agent; ``wait`` in seconds."""
    return Call(NEXT, "GET", f"/ext/v1/workers/{worker}/offers/next?wait={wait}&after={after}")


def accept(worker: str, offer: str) -> Call:
    """The agent takes an offer."""
    return Call(ACCEPT, "POST", f"/routing/workers/{worker}/offers/{offer}:accept?{VERSION}")


def decline(worker: str, offer: str) -> Call:
    """The agent does not want it."""
    return Call(DECLINE, "POST", f"/routing/workers/{worker}/offers/{offer}:decline?{VERSION}", b"{}")


def complete(job: str, assignment: str) -> Call:
    """The work is done."""
    return Call(COMPLETE, "POST", f"/routing/jobs/{job}/assignments/{assignment}:complete?{VERSION}", b"{}")


def close(job: str, assignment: str) -> Call:
    """The worker is free again."""
    return Call(CLOSE, "POST", f"/routing/jobs/{job}/assignments/{assignment}:close?{VERSION}", b"{}")


def views(queue_name: str, worker: str, job: str) -> list[Call]:
    """What a supervisor looks at: lists, statistics, explanations."""
    found = [
        Call("list jobs", "GET", f"/routing/jobs?maxpagesize=50&queueId={queue_name}&{VERSION}"),
        Call("list workers", "GET", f"/routing/workers?maxpagesize=50&queueId={queue_name}&{VERSION}"),
        Call("statistics", "GET", f"/routing/queues/{queue_name}/statistics?{VERSION}"),
        Call("overview", "GET", "/ext/v1/queues"),
        Call("explain worker", "GET", f"/ext/v1/workers/{worker}:explain"),
    ]
    return [*found, Call("explain job", "GET", f"/ext/v1/jobs/{job}:explain")] if job else found
