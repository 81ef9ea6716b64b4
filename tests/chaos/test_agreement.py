"""What the proof of repetitions takes for agreement, and what not."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.chaos.repeated import Sent, agree, is_known
from tests.chaos.wire import Answer


def answer(status: int, etag: str = "", /, **body: Any) -> Answer:
    return Answer(status, {"etag": etag} if etag else {}, json.dumps(body).encode())


JOB = {"id": "j", "queueId": "q"}
CREATED, SHOWN = answer(201, "1", status="created", **JOB), answer(200, "2", status="queued", **JOB)
OTHER = answer(200, "2", status="queued", id="j", queueId="other")


@pytest.mark.parametrize(
    ("method", "answers"),
    [
        ("PATCH", [CREATED]),
        ("PATCH", [SHOWN, CREATED, SHOWN]),
        ("PATCH", [SHOWN, SHOWN]),
        ("POST", [answer(200, unassignmentCount=1)] * 3),
        ("DELETE", [answer(204)] * 2),
    ],
)
def test_answers_that_agree(method: str, answers: list[Answer]) -> None:
    assert agree(method, answers)


@pytest.mark.parametrize(
    ("method", "answers"),
    [
        ("PATCH", [CREATED, CREATED]),
        ("PATCH", [CREATED, OTHER]),
        ("PATCH", [SHOWN, SHOWN, OTHER]),
        ("PATCH", [SHOWN, SHOWN, answer(200, "3", **JOB), answer(200, "3", **JOB)]),
        ("PATCH", [answer(409)]),
        ("POST", [answer(200, unassignmentCount=1), answer(200, unassignmentCount=2)]),
        ("POST", [answer(200), answer(404)]),
        ("DELETE", [answer(204), answer(404)]),
    ],
)
def test_answers_that_contradict_each_other(method: str, answers: list[Answer]) -> None:
    assert not agree(method, answers)


def test_late_answers() -> None:
    accept = Sent("POST", "/", None, "r", answer(200, assignmentId="a"))
    assert is_known(accept, answer(200, assignmentId="a"))
    assert not is_known(accept, answer(200, assignmentId="b"))
    create = Sent("PATCH", "/", {"queueId": "q"}, "r", CREATED)
    assert is_known(create, SHOWN)
    assert not is_known(create, OTHER)
    assert not is_known(create, CREATED)
