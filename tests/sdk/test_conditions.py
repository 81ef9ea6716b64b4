"""Conditional requests on every kind of entity."""

from __future__ import annotations

import datetime
from collections.abc import Callable
from typing import Any

import pytest
from azure.communication.jobrouter import models as m
from azure.core import MatchConditions
from azure.core.exceptions import (
    HttpResponseError,
    ResourceExistsError,
    ResourceModifiedError,
    ResourceNotFoundError,
)

from tests.sdk.clients import Sdk

KINDS: list[tuple[str, dict[str, Any]]] = [
    ("distribution_policy", {"offer_expires_after_seconds": 60, "mode": m.LongestIdleMode()}),
    ("classification_policy", {"name": "n"}),
    ("exception_policy", {"exception_rules": []}),
    ("queue", {"name": "n"}),
    ("worker", {"capacity": 1}),
    ("job", {"channel_id": "chat"}),
]


@pytest.mark.parametrize(("kind", "body"), KINDS)
def test_conditions(sdk: Sdk, queue: str, new: Callable[[str], str], kind: str, body: dict[str, Any]) -> None:
    upsert, get = getattr(sdk, f"upsert_{kind}"), getattr(sdk, f"get_{kind}")
    more = {"queue": {"distribution_policy_id": new("dp")}, "job": {"queue_id": queue}}.get(kind, {})
    patches: list[dict[str, Any]] = [{"name": name} for name in "abc"]
    if kind in ("worker", "job"):
        patches = [{"labels": {"a": name}} for name in "abc"]

    with pytest.raises(ResourceNotFoundError):
        upsert(new("e"), **body, **more, match_condition=MatchConditions.IfPresent)
    made = upsert(new("e"), **body, **more, match_condition=MatchConditions.IfMissing)
    with pytest.raises(ResourceExistsError):
        upsert(new("e"), **patches[0], match_condition=MatchConditions.IfMissing)
    unchanged = get(new("e"))
    changed = upsert(
        new("e"), **patches[0], etag=unchanged.etag, match_condition=MatchConditions.IfNotModified
    )
    assert changed.etag not in (made.etag, unchanged.etag)
    with pytest.raises(ResourceModifiedError):
        upsert(new("e"), **patches[1], etag=made.etag, match_condition=MatchConditions.IfNotModified)
    changed = upsert(new("e"), **patches[1], match_condition=MatchConditions.IfPresent)
    now = datetime.datetime.now(datetime.UTC)
    with pytest.raises(HttpResponseError) as refused:
        upsert(new("e"), **patches[2], if_unmodified_since=now - datetime.timedelta(days=1))
    assert refused.value.status_code == 412
    assert get(new("e")).etag == changed.etag
    tomorrow = now + datetime.timedelta(days=1)
    assert upsert(new("e"), **patches[2], if_unmodified_since=tomorrow).etag != changed.etag
