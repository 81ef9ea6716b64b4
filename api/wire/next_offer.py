"""The offers that a waiting worker has not seen, and the cursor that tells what it has.

The cursor holds a short mark of each offer that was open when the answer was given. An offer is issued once
under its id and never opens again, so what has no mark is new: whatever happened meanwhile, no offer is
missed and none comes twice in a row.
"""

from __future__ import annotations

import hashlib
import re
from base64 import urlsafe_b64encode

import msgspec

from api.errors import BadRequest
from api.wire.values import encode, timestamp
from engine.model import Offer, WorkerRecord

_MARK_BYTES = 6
_MARK = 8
"""Characters of a mark in the cursor."""

_CURSOR = re.compile(rf"(?:[\w-]{{{_MARK}}})*", re.ASCII)


class _Offer(msgspec.Struct, rename="camel"):
    offer_id: str
    job_id: str
    queue_id: str
    channel_id: str
    capacity_cost: int
    offered_at: str
    expires_at: str


class _Offers(msgspec.Struct):
    value: list[_Offer]
    next: str


def cursor(text: str) -> frozenset[str]:
    """The marks of a cursor; none of an empty one."""
    if not _CURSOR.fullmatch(text):
        raise BadRequest("The query parameter 'after' is not valid: it must be 'next' of an earlier answer.")
    return frozenset(text[at : at + _MARK] for at in range(0, len(text), _MARK))


def answer(record: WorkerRecord, seen: frozenset[str], now_ms: int) -> tuple[bytes, bool]:
    """The open offers without a mark, oldest first, and the cursor that follows; whether there are any."""
    marked = [(_mark(offer), offer) for offer in reversed(record.offers)]
    fresh = [offer for mark, offer in marked if mark not in seen and offer.expires_at > now_ms]
    return encode(_Offers(list(map(_shown, fresh)), "".join(mark for mark, _ in marked))), bool(fresh)


def _mark(offer: Offer) -> str:
    return urlsafe_b64encode(hashlib.blake2b(offer.id.encode(), digest_size=_MARK_BYTES).digest()).decode()


def _shown(offer: Offer) -> _Offer:
    return _Offer(
        offer.id,
        offer.job,
        offer.queue,
        offer.channel,
        offer.cost,
        timestamp(offer.offered_at),
        timestamp(offer.expires_at),
    )
