"""A short history over HTTP is checked; spoiled in one way or another, that is found."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any, NamedTuple

from engine import commands as c
from tests.chaos.wire import Answer
from tests.histories.book import Call
from tests.histories.http_checker import HttpChecker
from tests.histories.over_http import Asked, request
from tests.histories.run import Plan, over_http

LENGTH = 700


class Spoiler(NamedTuple):
    """What is done to the first call of a kind that was answered well, and what is to be said of it."""

    kind: type[c.Command]
    spoil: Callable[[list[Call], Asked, Answer], None]
    said: str


def number(calls: list[Call], call: Asked, answer: Answer) -> None:
    answer.headers["x-jobrouter-op"] = str(call.op - 1)


def assignment(calls: list[Call], call: Asked, answer: Answer) -> None:
    body = answer.body.replace(b'{"assignmentId":"', b'{"assignmentId":"0')
    call.answer = answer._replace(body=body)


def priority(calls: list[Call], call: Asked, answer: Answer) -> None:
    call.answer = answer._replace(body=answer.body.replace(b'"priority":', b'"priorities":'))


def version(calls: list[Call], call: Asked, answer: Answer) -> None:
    answer.headers["etag"] = '"other"'


def unsent(calls: list[Call], call: Asked, answer: Answer) -> None:
    calls.remove(call)


def refused(calls: list[Call], call: Asked, answer: Answer) -> None:
    call.answer = answer._replace(status=404)


def later(calls: list[Call], call: Asked, answer: Answer) -> None:
    call.sent, late = 1, max(one.invoked for one in calls) + 1
    call.invoked, call.completed = late, late + 1


SPOILERS = (
    Spoiler(c.OfferAccept, number, "is not in the log"),
    Spoiler(c.OfferAccept, assignment, "recorded"),
    Spoiler(c.JobCreate, priority, "recorded"),
    Spoiler(c.JobRead, priority, "at no moment had the answer"),
    Spoiler(c.WorkerUpsert, version, "recorded"),
    Spoiler(c.OfferAccept, unsent, "nobody has called it"),
    Spoiler(c.OfferAccept, refused, "nothing was refused"),
    Spoiler(c.OfferAccept, later, "was over before"),
)


def first(calls: list[Call], kind: type[c.Command]) -> tuple[Asked, Answer]:
    """The first call of a kind that was answered well; of a write one that has written."""
    for call in calls:
        if not isinstance(call, Asked) or not isinstance(call.command, kind) or call.answer is None:
            continue
        if call.answer.status < 300 and (call.op or not kind.write):
            return call, call.answer
    raise AssertionError(f"no {kind}")


def test_a_history_over_http() -> None:
    with over_http(Plan(LENGTH, clients=8), 7, LENGTH) as (server, history, _), server.client() as client:

        def check(calls: list[Call]) -> Any:
            return HttpChecker(client, history.root, calls).run()

        found = check(history.calls)
        assert found.mismatches == []
        assert found.operations >= LENGTH
        assert min(found.replies, found.refusals, found.reads, found.unknown, found.events) > 0
        for kind, spoil, said in SPOILERS:
            calls = copy.deepcopy(history.calls)
            spoil(calls, *first(calls, kind))
            assert said in "\n".join(check(calls).mismatches), spoil


def test_requests_of_commands() -> None:
    close = c.AssignmentClose("j/1", "a", "done", 1_000, "r", '"bye"')
    options = {"note": "bye", "dispositionCode": "done", "closeAt": "1970-01-01T00:00:01.000Z"}
    assert request(close) == ("POST", "/routing/jobs/j%2F1/assignments/a:close", options)
    assert request(c.PolicyDelete("exception", "e")) is None
