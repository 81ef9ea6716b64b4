"""Policies of all kinds."""

from __future__ import annotations

import msgspec

from engine.commands.base import Command, fields_of


class PolicyUpsert(Command, frozen=True):
    """Create (doc = 0) or replace a policy. kind: classification, distribution or exception.

    distribution: expires_ms, mode, min_offers, max_offers, bypass, descending; rules = the scoring rule as
    engine.scoring cuts it.
    exception: rules as engine.exception_rules cuts them; uses = ids of the classification policies
    that its actions name.
    classification: fallback = fallbackQueueId; pipeline as engine.pipelines cuts it.
    """

    function = "jr_policy_upsert"
    creates = True
    documents = ("document", "secret", "rules", "pipeline")

    kind: str
    id: str
    doc: int = 0
    rev: int = -1
    expires_ms: int = 0
    mode: str = ""
    min_offers: int = 1
    max_offers: int = 1
    bypass: bool = False
    descending: bool = True
    uses: list[str] = msgspec.field(default_factory=list)
    fallback: str = ""
    document: str = ""
    secret: str = ""
    rules: str = ""
    pipeline: str = ""

    def when_full(self) -> Command | None:
        return PolicyUpdate(**fields_of(self)) if self.doc else None


class PolicyUpdate(PolicyUpsert, frozen=True):
    """Replace a policy: what an upsert becomes when the server is full."""

    function = "jr_policy_update"
    creates = False


class PolicyRead(Command, frozen=True):
    function = "jr_policy_read"
    write = False

    kind: str
    id: str
    secrets: bool = False


class PolicyDelete(Command, frozen=True):
    function = "jr_policy_delete"

    kind: str
    id: str


class PolicyList(Command, frozen=True):
    function = "jr_policy_list"
    write = False

    kind: str
    limit: int = 100
    cursor: int = 0
