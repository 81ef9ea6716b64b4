"""Selectors as rules answer them: a JSON list, read as leniently as clients' own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from api.errors import BadRequest
from api.wire.folding import folder
from api.wire.rules import QueueSelector, QueueSelectors, WorkerSelector, WorkerSelectors
from engine import model

Selectors = Sequence[QueueSelector] | Sequence[WorkerSelector]

_fold_worker, _fold_queue = folder(WorkerSelector), folder(QueueSelector)


def selectors_text(selectors: Selectors) -> str:
    """Selectors as they are stored."""
    return model.selectors_text(selector.stored() for selector in selectors)


def worker_selectors(value: Any) -> str | None:
    """The document of a list of worker selectors; None when the value is none."""
    return _read(value, _fold_worker, WorkerSelectors)


def queue_selectors(value: Any) -> str | None:
    """The document of a list of queue selectors; None when the value is none."""
    return _read(value, _fold_queue, QueueSelectors)


def _read(value: Any, fold: Callable[[Any], Any], kind: Any) -> str | None:
    if not isinstance(value, list):
        return None
    try:
        return selectors_text(msgspec.convert([fold(item) for item in value], kind))
    except (msgspec.ValidationError, BadRequest):
        return None
