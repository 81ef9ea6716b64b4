"""A dead letter is the event and the circumstances, with the names of Event Grid."""

from __future__ import annotations

import json

import pytest

from engine.subscriptions.dead_letter import ATTEMPTS, Circumstances, outcome, record

EVENT = '{"id":"1","data":{"a":[1.50,"ä"]},"eventTime":"2026-01-01T00:00:00.000Z"}'


def test_the_circumstances_follow_the_event() -> None:
    told = Circumstances(ATTEMPTS, 3, "NotFound", "2026-01-01T00:00:00.000Z", "2026-01-01T00:01:40.000Z", 404)
    made = record(EVENT, told)
    assert made.startswith(EVENT[:-1].encode())
    assert json.loads(made) == {
        **json.loads(EVENT),
        "deadLetterReason": "MaxDeliveryAttemptsExceeded",
        "deliveryAttempts": 3,
        "lastDeliveryOutcome": "NotFound",
        "publishTime": "2026-01-01T00:00:00.000Z",
        "lastDeliveryAttemptTime": "2026-01-01T00:01:40.000Z",
        "lastHttpStatusCode": 404,
    }


@pytest.mark.parametrize(
    ("status", "word"),
    [
        (0, "GenericError"),
        (302, "Found"),
        (400, "BadRequest"),
        (401, "Unauthorized"),
        (403, "Forbidden"),
        (404, "NotFound"),
        (408, "TimedOut"),
        (429, "Busy"),
        (500, "InternalServerError"),
        (503, "Busy"),
        (504, "TimedOut"),
        (203, "NonAuthoritativeInformation"),
        (599, "HttpStatus599"),
    ],
)
def test_words_for_the_last_try(status: int, word: str) -> None:
    assert outcome(status, timed_out=False) == word
    assert outcome(status, timed_out=True) == "TimedOut"
