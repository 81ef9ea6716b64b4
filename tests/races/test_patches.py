"""Races of PATCHes: none is lost, and one creates."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from tests.races.crowd import SIZE, Crowd
from tests.races.test_offers import make_queue, make_worker
from tests.signed import Caller

KINDS = ("queues", "workers", "jobs")


@pytest.mark.parametrize("kind", KINDS)
def test_concurrent_patches_lose_nothing(
    crowd: Crowd, call: Caller, name: str, sound: Callable[[], bool], kind: str
) -> None:
    """Each adds a label; in the end all are there."""
    make_queue(call, name, 1)
    make_worker(call, name, name)
    assert call("PATCH", f"/routing/jobs/{name}", {"channelId": "voice", "queueId": name})[0] == 201

    def patch(caller: Caller, number: int) -> int:
        return caller("PATCH", f"/routing/{kind}/{name}", {"labels": {f"l{number}": number}})[0]

    assert Counter(crowd.at_once(patch)) == {200: SIZE}
    labels = {f"l{number}": number for number in range(SIZE)}
    automatic = {} if kind == "jobs" else {"Id": name}
    assert call("GET", f"/routing/{kind}/{name}")[1]["labels"] == {**automatic, **labels}
    assert sound()


@pytest.mark.parametrize("kind", KINDS)
def test_one_of_many_creates(
    crowd: Crowd, call: Caller, name: str, sound: Callable[[], bool], kind: str
) -> None:
    """The same PATCH from all: one answer says 201, all show the same entity."""
    make_queue(call, name, 1)
    bodies: dict[str, dict[str, Any]] = {
        "queues": {"distributionPolicyId": name},
        "workers": {"capacity": 2, "queues": [name]},
        "jobs": {"channelId": "voice", "queueId": name},
    }
    answers = crowd.at_once(lambda caller, _: caller("PATCH", f"/routing/{kind}/{name}-new", bodies[kind]))
    assert Counter(status for status, _ in answers) == {201: 1, 200: SIZE - 1}
    assert len({answer["id"] for _, answer in answers}) == 1
    assert sound()
