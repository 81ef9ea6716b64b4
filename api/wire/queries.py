"""Query parameters: their names, and what lists take of them."""

from __future__ import annotations

import datetime
import re
from collections.abc import Mapping

import msgspec

from api.errors import BadRequest
from api.wire.folding import microseconds, words
from api.wire.values import Moment, milliseconds

MOST = 100
"""Parameters of a request, the version among them."""

VERSION = "api-version"
PAGE_SIZE = "maxpagesize"
TOKEN = "continuationtoken"
TOKEN_SPELLED = "continuationToken"
LIMITED_VERSION = "2023-11-01"
FULL_VERSION = "2024-01-18-preview"
VERSIONS = (LIMITED_VERSION, FULL_VERSION)

ALL = "all"
JOB_STATUSES = (
    "pendingClassification",
    "queued",
    "assigned",
    "completed",
    "closed",
    "cancelled",
    "classificationFailed",
    "created",
    "pendingSchedule",
    "scheduled",
    "scheduleFailed",
    "waitingForActivation",
    ALL,
    "active",
)
WORKER_STATES = ("active", "draining", "inactive", ALL)

# names are compared in lower case
STATUS = "status"
STATE = "state"
QUEUE = "queueid"
CHANNEL = "channelid"
WORKER = "workerid"
CLASSIFICATION = "classificationpolicyid"
SCHEDULED_BEFORE = "scheduledbefore"
SCHEDULED_AFTER = "scheduledafter"
HAS_CAPACITY = "hascapacity"
BEFORE = "before"

PLACE = re.compile(r"[0-9]{1,15}\.[0-9]{1,6}")
"""The place of an event in the log: number of its entry, and its own in it."""

_SPELLED = {
    QUEUE: "queueId",
    CHANNEL: "channelId",
    WORKER: "workerId",
    CLASSIFICATION: "classificationPolicyId",
    SCHEDULED_BEFORE: "scheduledBefore",
    SCHEDULED_AFTER: "scheduledAfter",
    HAS_CAPACITY: "hasCapacity",
}


def choice(query: Mapping[str, str], name: str, of: tuple[str, ...]) -> str:
    """One of several words; empty when none is given, or all are wanted."""
    given = query.get(name) or ALL
    word = words(of)(given)
    if word not in of:
        raise _wrong(name, f"'{given}' is none of {', '.join(of)}")
    return "" if word == ALL else str(word)


def text(query: Mapping[str, str], name: str) -> str:
    """An id."""
    given = query.get(name, "")
    if len(given) > 256 or "\0" in given:
        raise _wrong(name, "an id has at most 256 characters and no NUL")
    return given


def place(query: Mapping[str, str], name: str) -> str:
    """The place of an event; empty when none is given."""
    given = query.get(name, "")
    if given and not PLACE.fullmatch(given):
        raise _wrong(name, "it must be the place of an event, as 17.2")
    return given


def flag(query: Mapping[str, str], name: str) -> bool:
    """True or false."""
    given = query.get(name, "").lower()
    if given not in ("", "true", "false"):
        raise _wrong(name, "it must be true or false")
    return given == "true"


def moment(query: Mapping[str, str], name: str) -> int:
    """A time in epoch milliseconds; 0 when none is given."""
    given = query.get(name)
    if not given:
        return 0
    try:
        # a raw + of an offset has been read as a space
        parsed: datetime.datetime = msgspec.convert(microseconds(given.replace(" ", "+")), Moment)
    except msgspec.ValidationError:
        raise _wrong(name, "it must be a time such as 2024-01-31T12:00:00Z") from None
    return milliseconds(parsed)


def whole(query: Mapping[str, str], name: str, default: int, most: int) -> int:
    """A number from 1 on; a larger one than is allowed counts as the largest."""
    given = query.get(name)
    if not given:
        return default
    if not (given.isascii() and given.isdigit() and len(given) < 20 and int(given) > 0):
        raise _wrong(name, "it must be a whole number of at least 1")
    return min(int(given), most)


def _wrong(name: str, why: str) -> BadRequest:
    return BadRequest(f"The query parameter '{_SPELLED.get(name, name)}' is not valid: {why}.")
