"""Subscriptions to events: upsert, read, delete, list, and what else can be done with them."""

from __future__ import annotations

from typing import Any

from api import entities
from api.call import Answer, Call
from api.entities import Entity
from api.merge_patch import merge
from api.paging import PageRequest
from api.wire import subscriptions as wire
from engine.commands import (
    Command,
    SubscriptionDelete,
    SubscriptionList,
    SubscriptionRead,
    SubscriptionUpsert,
)
from engine.model import SubscriptionRecord


class _Subscriptions(Entity[SubscriptionRecord]):
    """One for each request: it remembers the secret that was made, which is shown in the answer alone."""

    kind = "subscription"
    fold = staticmethod(wire.fold)
    record = SubscriptionRecord

    def __init__(self) -> None:
        self.made: list[str] = []

    def read(self, entity_id: str) -> Command:
        return SubscriptionRead(entity_id, secrets=True)

    def delete(self, entity_id: str) -> Command:
        return SubscriptionDelete(entity_id)

    def create(self, entity_id: str, whole: dict[str, Any], call: Call) -> Command:
        return self._command(whole, entity_id, 0, -1, call)

    def update(
        self, record: SubscriptionRecord, patch: dict[str, Any], rev: int, call: Call
    ) -> Command | None:
        update = self._command(merge(wire.current(record), patch), record.id, record.doc, rev, call)
        wire.check_start(record, update)
        return None if wire.unchanged(record, update) else update

    def replacement(self, record: SubscriptionRecord, call: Call, *, fresh_secret: bool = False) -> Command:
        """The command that writes it again, perhaps with a fresh signing secret beside the one before."""
        subscription = wire.body(wire.current(record))
        self.made = [wire.rotated(subscription)] if fresh_secret else []
        return wire.command(subscription, record.id, record.doc, -1, call.origin)

    def view(self, record: SubscriptionRecord, tag: str, call: Call) -> bytes:
        return wire.view(record, tag, self.made)

    def _command(
        self, whole: dict[str, Any], entity_id: str, doc: int, rev: int, call: Call
    ) -> SubscriptionUpsert:
        subscription = wire.body(whole)
        given = whole.get(wire.SIGNING_SECRETS)
        self.made = [secret for secret in subscription.signing_secrets or [] if given is None]
        return wire.command(subscription, entity_id, doc, rev, call.origin)


async def upsert(call: Call, subscription_id: str) -> Answer:
    """Creates one, or merges a patch into it."""
    return await entities.upsert(_Subscriptions(), call, subscription_id)


async def get(call: Call, subscription_id: str) -> Answer:
    """Reads one."""
    return await entities.get(_Subscriptions(), call, subscription_id)


async def delete(call: Call, subscription_id: str) -> Answer:
    """Deletes one."""
    return await entities.delete(_Subscriptions(), call, subscription_id)


async def validate(call: Call, subscription_id: str) -> Answer:
    """Asks the endpoint again, if it has not agreed yet."""
    entity = _Subscriptions()
    return await entities.change(entity, call, subscription_id, lambda it: entity.replacement(it, call))


async def rotate_secret(call: Call, subscription_id: str) -> Answer:
    """Makes a fresh signing secret, which the answer shows; the newest before it stays live beside it."""
    entity = _Subscriptions()
    return await entities.change(
        entity, call, subscription_id, lambda it: entity.replacement(it, call, fresh_secret=True)
    )


async def page(call: Call) -> Answer:
    """Lists subscriptions, newest first."""
    request = PageRequest(call)
    command = SubscriptionList(request.size, request.after)
    return await entities.page(_Subscriptions(), call, request, command)
