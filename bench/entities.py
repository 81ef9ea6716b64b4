"""The measured entities: jobs with a request body of 540 bytes, workers in label classes, queues."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from engine.commands import JobCreate, PolicyUpsert, QueueUpsert, WorkerUpsert
from engine.expressions import compile_expression
from engine.model import (
    Channel,
    Scalar,
    Selector,
    channels_text,
    json_text,
    members,
    members_text,
    selectors_text,
    strings_text,
)
from engine.pipelines import Label, Pipeline, Rule, When, pipeline_text
from engine.scoring import by_expression, scoring_text

BODY_BYTES = 540
QUEUE = "support"
CHANNEL = "voice"
OFFER_MS = 3_600_000

Labels = Mapping[str, Scalar]


def policy(
    name: str = "longestIdle", mode: str = "longestIdle", offers: int = 1, scoring: str = ""
) -> PolicyUpsert:
    """A distribution policy, with the expression by which it scores; its offers outlive every measurement."""
    rules = scoring_text(by_expression(scoring, job_labels=True)) if scoring else ""
    return PolicyUpsert(
        "distribution", name, mode=mode, max_offers=offers, expires_ms=OFFER_MS, document="{}", rules=rules
    )


def queue(name: str = QUEUE, distribution: str = "longestIdle", labels: Labels | None = None) -> QueueUpsert:
    """A queue."""
    return QueueUpsert(name, distribution=distribution, labels=members_text(labels or {}))


def region_and_skill(number: int) -> Labels:
    """The labels of a worker in one of 100 classes."""
    return {"region": f"region-{number % 10}", "skill": f"skill-{number // 10 % 10}"}


def classification_policy(name: str = "classification") -> PolicyUpsert:
    """A policy with a prioritization rule and three attachments: the team of a job finds its queue."""
    pipeline = Pipeline(
        Rule("expression", compile_expression("If(job.tier = 2, 10, 1)").text),
        [Label(json_text("language"), "=")],
        [
            Label(json_text("team"), "="),
            When(
                Rule("expression", compile_expression('job.language = "en"').text),
                selectors_text([Selector("open", "=", "true")]),
            ),
        ],
    )
    return PolicyUpsert("classification", name, document="{}", pipeline=pipeline_text(pipeline))


def worker(
    number: int,
    labels: Labels,
    *,
    prefix: str = "worker",
    queues: Sequence[str] = (QUEUE,),
    channels: Sequence[Channel] = (Channel(CHANNEL, 1),),
    capacity: int = 1,
) -> WorkerUpsert:
    """An available worker."""
    return WorkerUpsert(
        f"{prefix}-{number}",
        capacity=capacity,
        available=True,
        queues=strings_text(queues),
        channels=channels_text(channels),
        labels=members_text(labels),
    )


def job(
    number: int,
    selectors: Sequence[Selector] = (),
    *,
    labels: Labels | None = None,
    queue: str = QUEUE,
    channel: str = CHANNEL,
) -> JobCreate:
    """A job with typical labels and tags."""
    shown = _labels(number) if labels is None else labels
    return JobCreate(
        f"job-{number}",
        queue=queue,
        channel=channel,
        reference=_reference(number),
        labels=members_text(shown),
        tags=members_text(_tags(number)),
        selectors=selectors_text(selectors),
    )


def body(number: int) -> bytes:
    """The same job as a client sends it."""
    given = job(number)
    sent = {
        "channelId": CHANNEL,
        "queueId": QUEUE,
        "priority": 1,
        "channelReference": given.reference,
        "labels": members(given.labels),
        "tags": members(given.tags),
    }
    return msgspec.json.encode(sent)


def classified(number: int, team: str = "") -> JobCreate:
    """The same job with a policy instead of a queue; it belongs to one of three teams, or a given one."""
    found = job(number, labels={**_labels(number), "team": team or f"team-{number % 3}"})
    return msgspec.structs.replace(found, queue="", classification="classification")


def equal(labels: Labels) -> list[Selector]:
    """Selectors that ask for these labels."""
    return [Selector(key, "=", json_text(value)) for key, value in labels.items()]


def _reference(number: int) -> str:
    return f"conversation-{number:08d}"


def _labels(number: int) -> Labels:
    return {"language": "en", "product": f"product-{number % 20}", "tier": number % 3}


def _tags(number: int) -> Labels:
    """What an application keeps with a job, filled up so that the whole request body has 540 bytes."""
    tags: dict[str, Scalar] = {
        "caseId": f"CAS-{number:08d}",
        "customerId": f"0f9d6c1e-7f0a-4b8e-9a55-{number:012d}",
        "source": "contact form",
    }
    body: dict[str, Any] = {
        "channelId": CHANNEL,
        "queueId": QUEUE,
        "priority": 1,
        "channelReference": _reference(number),
        "labels": _labels(number),
        "tags": {**tags, "summary": ""},
    }
    tags["summary"] = "x" * (BODY_BYTES - len(msgspec.json.encode(body)))
    return tags
