"""An event that was given up, with the names that Event Grid gives to the circumstances."""

from __future__ import annotations

from http import HTTPStatus

import msgspec

ATTEMPTS = "MaxDeliveryAttemptsExceeded"
AGE = "MaxRetryDurationExceeded"
REFUSED = "UndeliverableDueToClientError"
LOST = "EventsNotKept"
"""Why: too many tries, too old, a status that would be the same next time, not kept for long enough."""

_WORDS = {
    0: "GenericError",
    408: "TimedOut",
    429: "Busy",
    503: "Busy",
    504: "TimedOut",
}


class Circumstances(msgspec.Struct, rename="camel", omit_defaults=True):
    """What became of an event; times as ISO-8601 in UTC."""

    dead_letter_reason: str
    delivery_attempts: int
    last_delivery_outcome: str
    publish_time: str
    last_delivery_attempt_time: str
    last_http_status_code: int = 0
    last_delivery_error: str = ""


def outcome(status: int, timed_out: bool) -> str:
    """The word for the last try; status 0: there was no answer."""
    if timed_out:
        return "TimedOut"
    if status in _WORDS:
        return _WORDS[status]
    try:
        return HTTPStatus(status).phrase.title().replace(" ", "").replace("-", "")
    except ValueError:
        return f"HttpStatus{status}"


def record(payload: str, circumstances: Circumstances) -> bytes:
    """The event as it was to be delivered, with the circumstances behind its own members."""
    event = payload.encode(errors="replace").rstrip()
    return event[:-1] + b"," + msgspec.json.encode(circumstances)[1:]
