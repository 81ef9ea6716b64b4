"""The rules of exception policies as the router acts on them: a JSON text, made when a policy is written."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import msgspec

_encode = msgspec.json.Encoder().encode


class Cancel(msgspec.Struct, frozen=True, tag_field="kind", tag="cancel", omit_defaults=True):
    """Cancels the job. ``note`` is the message as JSON string text."""

    note: str = ""
    disposition: str = ""


class Change(msgspec.Struct, frozen=True, tag_field="kind", tag="change", omit_defaults=True):
    """Changes what is given of the job and sends it to its queue again. ``selectors`` is their document."""

    queue: str = ""
    priority: int | None = None
    selectors: str = ""


class Classify(msgspec.Struct, frozen=True, tag_field="kind", tag="classify", omit_defaults=True):
    """Classifies the job again, with more ``labels`` (their document) or by another policy."""

    classification: str = ""
    labels: str = ""


Action = Cancel | Change | Classify


class Rule(msgspec.Struct, frozen=True):
    """Fires when a job would join ``threshold`` others, or has waited for ``threshold`` milliseconds."""

    id: str
    trigger: Literal["length", "wait"]
    threshold: int
    actions: Sequence[Action]


def rules_text(rules: Sequence[Rule]) -> str:
    """Rules as text; empty when there are none."""
    return _encode(rules).decode() if rules else ""
