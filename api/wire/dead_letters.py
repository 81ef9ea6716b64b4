"""Dead letters: events that were given up, as clients see them, and which of them to deliver again."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import msgspec
from msgspec import UNSET, Meta, UnsetType

from api.errors import BadRequest
from api.wire.folding import folder
from api.wire.reading import read
from api.wire.values import encode, timestamp
from engine.deliveries.tries import Tries
from engine.subscriptions import dead_letter

MAX_REPLAYED = 100
"""Dead letters that a request may name."""

_ID = re.compile(r"[0-9]{1,15}-[0-9]{1,15}")
_REASONS: dict[str, str] = {
    "attempts": dead_letter.ATTEMPTS,
    "age": dead_letter.AGE,
    "refused": dead_letter.REFUSED,
}


class ReplayBody(msgspec.Struct, rename="camel"):
    """Which dead letters are to be delivered again; all that there are, when none is named."""

    ids: Annotated[list[str], Meta(max_length=MAX_REPLAYED)] | UnsetType = UNSET


_fold = folder(ReplayBody)


def replay_ids(value: Any) -> list[str] | None:
    """The ids that a request names; None for all."""
    ids = read(_fold(value), ReplayBody).ids
    if ids is UNSET:
        return None
    if any(not _ID.fullmatch(one) for one in ids):
        raise BadRequest("The property 'ids' is not valid: it must be a list of ids of dead letters.")
    return ids


def after(text: str) -> str:
    """The id after which a page begins."""
    if text and not _ID.fullmatch(text):
        raise BadRequest("The query parameter 'after' is not valid: it must be the id of a dead letter.")
    return text


class _Lost(msgspec.Struct, rename="camel"):
    dead_letter_reason: str
    first_id: str
    last_id: str


class DeadLetter(msgspec.Struct, rename="camel"):
    """One dead letter: an event with what became of it, or what was lost before it could be delivered."""

    id: str
    dead_lettered_at: str
    event: msgspec.Raw | UnsetType = UNSET
    lost: _Lost | UnsetType = UNSET


class _DeadLetters(msgspec.Struct, rename="camel"):
    value: Sequence[DeadLetter]
    next: str | UnsetType


class _Replayed(msgspec.Struct, rename="camel"):
    replayed_count: int


def page(reply: Mapping[str, Any]) -> bytes:
    """A page of them."""
    return encode(_DeadLetters([dead_letter_of(row) for row in reply["rows"]], reply["next"] or UNSET))


def replayed(count: int) -> bytes:
    """What a replay answers."""
    return encode(_Replayed(count))


def dead_letter_of(row: Mapping[str, Any]) -> DeadLetter:
    """A dead letter from what is stored."""
    at = timestamp(int(row["at"]))
    if row.get("event"):
        return DeadLetter(row["id"], at, msgspec.Raw(_record(row["event"], Tries.parse(row["facts"]))))
    first, last = row.get("first") or row["place"], row.get("last") or row["place"]
    return DeadLetter(row["id"], at, lost=_Lost(dead_letter.LOST, first, last))


class _Published(msgspec.Struct, rename="camel"):
    event_time: str = ""


def _record(payload: str, tries: Tries) -> bytes:
    circumstances = dead_letter.Circumstances(
        _REASONS.get(tries.why, dead_letter.ATTEMPTS),
        tries.count,
        dead_letter.outcome(tries.status, tries.late),
        msgspec.json.decode(payload.encode(errors="replace"), type=_Published).event_time,
        timestamp(tries.last),
        tries.status,
        tries.outcome,
    )
    return dead_letter.record(payload, circumstances)
