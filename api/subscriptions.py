"""Subscriptions to events: upsert, read, delete, list, and what else can be done with them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from api import entities
from api.call import Answer, Call
from api.entities import Entity
from api.merge_patch import merge
from api.paging import DEFAULT_SIZE, MAX_SIZE, PageRequest
from api.wire import dead_letters as dead_letters_wire
from api.wire import options, queries
from api.wire import subscriptions as wire
from api.wire.json_body import read_options
from api.wire.options import NoOptions
from engine.commands import (
    Command,
    DeadLetterList,
    DeadLetterReplay,
    RouterStatus,
    SubscriptionDelete,
    SubscriptionList,
    SubscriptionRead,
    SubscriptionUpsert,
)
from engine.model import SubscriptionRecord

_MOST_OF_A_CALL = 999_999
"""No call gives up more events."""


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
        return self._command(whole, entity_id, 0, -1, call, "")

    def update(
        self, record: SubscriptionRecord, patch: dict[str, Any], rev: int, call: Call
    ) -> Command | None:
        if self._is_repeated(record, call):
            return None
        whole, request = merge(wire.current(record), patch), wire.request_of(record)
        update = self._command(whole, record.id, record.doc, rev, call, request)
        wire.check_start(record, update)
        return None if wire.unchanged(record, update) else update

    def again(self, record: SubscriptionRecord, call: Call) -> Command:
        """The command that writes it as it is."""
        subscription, request = wire.body(wire.current(record)), wire.request_of(record)
        return wire.command(subscription, record.id, record.doc, -1, call.origin, request)

    def rotated(self, record: SubscriptionRecord, call: Call) -> Command | None:
        """The command that gives it a fresh signing secret beside the newest one; None when it has."""
        if self._is_repeated(record, call):
            return None
        subscription = wire.body(wire.current(record))
        self.made = [wire.rotated(subscription)]
        return wire.command(subscription, record.id, record.doc, -1, call.origin, call.request_id)

    def view(self, record: SubscriptionRecord, tag: str, call: Call) -> bytes:
        return wire.view(record, tag, self.made)

    def _is_repeated(self, record: SubscriptionRecord, call: Call) -> bool:
        """Whether this request has made a secret already: then it is shown again, and nothing is done."""
        self.made = wire.made_by(record, call.request_id)
        return bool(self.made)

    def _command(
        self, whole: dict[str, Any], entity_id: str, doc: int, rev: int, call: Call, request: str
    ) -> SubscriptionUpsert:
        subscription = wire.body(whole)
        given = whole.get(wire.SIGNING_SECRETS)
        self.made = [secret for secret in subscription.signing_secrets or [] if given is None]
        maker = call.request_id if self.made else request
        return wire.command(subscription, entity_id, doc, rev, call.origin, maker)


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
    options.options(call.body, NoOptions)
    entity = _Subscriptions()
    return await entities.change(entity, call, subscription_id, lambda it: entity.again(it, call))


async def rotate_secret(call: Call, subscription_id: str) -> Answer:
    """Makes a fresh signing secret, which the answer shows; the newest before it stays live beside it."""
    options.options(call.body, NoOptions)
    entity = _Subscriptions()
    return await entities.change(entity, call, subscription_id, lambda it: entity.rotated(it, call))


async def dead_letters(call: Call, subscription_id: str) -> Answer:
    """Lists the events of one that were given up, oldest first."""
    after = dead_letters_wire.after(call.query.get("after", ""))
    limit = queries.whole(call.query, "limit", DEFAULT_SIZE, MAX_SIZE)
    reply = await call.run(DeadLetterList(subscription_id, after, limit))
    return 200, dead_letters_wire.page(reply), ()


async def replay(call: Call, subscription_id: str) -> Answer:
    """Delivers dead letters once more: those that are named, else all that there are now."""
    ids = dead_letters_wire.replay_ids(read_options(call.body))
    return 200, dead_letters_wire.replayed(await replayed(call.run, subscription_id, ids)), ()


async def replayed(
    run: Callable[[Command], Awaitable[Any]], subscription_id: str, ids: list[str] | None
) -> int:
    """Replays dead letters, all of them when ids is None, portion by portion. Gives their number."""
    if ids is not None:
        return int((await run(DeadLetterReplay(subscription_id, ids)))["replayed"])
    # what is given up meanwhile is not replayed again
    last = f"{(await run(RouterStatus()))['op']}-{_MOST_OF_A_CALL}"
    count, after = 0, ""
    while True:
        reply = await run(DeadLetterReplay(subscription_id, after=after, last=last))
        count, after = count + int(reply["replayed"]), reply["next"]
        if not after:
            return count


async def page(call: Call) -> Answer:
    """Lists subscriptions, newest first."""
    request = PageRequest(call)
    command = SubscriptionList(min(request.size, DEFAULT_SIZE), request.after)
    return await entities.page(_Subscriptions(), call, request, command)
