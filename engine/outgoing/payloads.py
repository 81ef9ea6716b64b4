"""What rules are told: JSON put together from stored texts, so that no value is re-encoded."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from engine import model

_OPERATORS = {
    "=": "Equal",
    "!=": "NotEqual",
    "<": "LessThan",
    "<=": "LessThanEqual",
    ">": "GreaterThan",
    ">=": "GreaterThanEqual",
}
"""The words that the documentation of scoring functions has for them, other than those of selectors."""

_encode = msgspec.json.encode


class _Selector(msgspec.Struct, rename="camel"):
    key: str
    operator: str
    value: msgspec.Raw | msgspec.UnsetType
    expires_after_seconds: msgspec.Raw | msgspec.UnsetType


def labels_object(text: str, entity_id: str = "") -> bytes:
    """Stored labels as a JSON object; an id is shown as the automatic label of queues and workers."""
    if not entity_id:
        return model.members_object(text)
    own = '"Id":' + model.json_text(entity_id)
    return model.members_object(f"{text},\n{own}" if text else own)


def selectors_array(text: str) -> bytes:
    """Stored worker selectors as a JSON array."""
    return _encode(
        [
            _Selector(s.key, _OPERATORS[s.operator], _raw(s.value), _raw(s.seconds))
            for s in model.selectors(text)
        ]
    )


def rule_payload(job: bytes, *, queue: bytes | None = None, worker: bytes | None = None) -> bytes:
    """What a rule sees: the labels objects of the entities that it is about."""
    return _object(job=job, queue=queue, worker=worker)


def scoring_payload(worker: bytes, *, job: bytes | None, selectors: bytes | None) -> bytes:
    """What a rule sees that scores one worker: labels, and of the job what the scoring parameters name."""
    return _object(job=job, selectors=selectors, worker=worker)


def batch_payload(workers: Sequence[bytes], *, job: bytes | None, selectors: bytes | None) -> bytes:
    """What a rule sees that scores several workers at once."""
    return _object(job=job, selectors=selectors, workers=b"[" + b",".join(workers) + b"]")


def _object(**members: bytes | None) -> bytes:
    given = (b'"%b":%b' % (name.encode(), value) for name, value in members.items() if value is not None)
    return b"{" + b",".join(given) + b"}"


def _raw(text: str) -> msgspec.Raw | msgspec.UnsetType:
    return msgspec.Raw(text.encode()) if text else msgspec.UNSET
