"""Classification, distribution and exception policies: upsert, read, delete, list."""

from __future__ import annotations

from functools import partial
from typing import Any, NamedTuple

import msgspec

from api import entities
from api.call import Answer, Call, Handler
from api.entities import Entity
from api.merge_patch import merge
from api.paging import PageRequest
from api.wire import policies as wire
from api.wire import secrets
from api.wire.kinds import patch_folder
from api.wire.reading import read
from api.wire.values import encode
from engine.commands import Command, PolicyDelete, PolicyList, PolicyRead, PolicyUpsert
from engine.model import PolicyRecord


class _Policies(Entity[PolicyRecord]):
    record = PolicyRecord

    def __init__(self, kind: str, body: type[wire.PolicyBody]):
        self.kind = kind
        self.body = body
        self.fold = patch_folder(body)

    def read(self, entity_id: str) -> Command:
        return PolicyRead(self.kind, entity_id, secrets=True)

    def delete(self, entity_id: str) -> Command:
        return PolicyDelete(self.kind, entity_id)

    def create(self, entity_id: str, whole: dict[str, Any], call: Call) -> Command:
        return self._command(read(whole, self.body), entity_id, 0, -1)

    def update(self, record: PolicyRecord, patch: dict[str, Any], rev: int, call: Call) -> Command | None:
        former = msgspec.json.decode(record.document, type=self.body)
        secrets.put(former, secrets.parse(record.secret))
        policy = read(merge(msgspec.to_builtins(former), patch), self.body)
        secrets.inherit(policy, former)
        update = self._command(policy, record.id, record.doc, rev)
        same = update.document == record.document and update.secret == record.secret
        return None if same else update

    def view(self, record: PolicyRecord, tag: str, call: Call) -> bytes:
        document = record.document
        if call.viewing:
            policy = msgspec.json.decode(document, type=self.body)
            secrets.hide_queries(policy)
            document = encode(policy).decode()
        return wire.view(record.id, document, tag)

    def _command(self, policy: wire.PolicyBody, entity_id: str, doc: int, rev: int) -> PolicyUpsert:
        policy.complete()
        secret = secrets.text_of(secrets.take(policy))
        return wire.command(policy, self.kind, entity_id, doc, rev, secret)


async def _page(entity: _Policies, call: Call) -> Answer:
    request = PageRequest(call)
    return await entities.page(entity, call, request, PolicyList(entity.kind, request.size, request.after))


class Handlers(NamedTuple):
    """The handlers of one kind of policy."""

    upsert: Handler
    get: Handler
    delete: Handler
    page: Handler


def _handlers(kind: str, body: type[wire.PolicyBody]) -> Handlers:
    entity = _Policies(kind, body)
    return Handlers(
        partial(entities.upsert, entity),
        partial(entities.get, entity),
        partial(entities.delete, entity),
        partial(_page, entity),
    )


classification = _handlers("classification", wire.ClassificationPolicy)
distribution = _handlers("distribution", wire.DistributionPolicy)
exception = _handlers("exception", wire.ExceptionPolicy)
