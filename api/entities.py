"""What the six kinds of entities have in common: upsert by merge patch, read, delete and list."""

from __future__ import annotations

import asyncio
import random
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, Generic, TypeVar

from api.call import Answer, Call
from api.conditions import Conditions
from api.errors import ApiError, BadRequest, Header, ServiceUnavailable
from api.merge_patch import merge
from api.paging import PageRequest
from api.wire import lists
from api.wire.folding import Fold
from api.wire.json_body import read_object
from api.wire.values import etag, http_date
from engine.commands import Command
from engine.errors import OutOfMemory, Refused
from engine.model import Record

R = TypeVar("R", bound=Record)

ATTEMPTS = 24
"""How often a merge is tried when others change the entity meanwhile."""

LONGEST_PAUSE = 0.25
"""Seconds between two attempts. Pauses begin at 2 ms and double: without them, many writers lose in step."""


class Entity(ABC, Generic[R]):
    """One kind of entity: its commands, and how its records are read and shown."""

    kind: str
    fold: Fold
    record: type[R]

    @abstractmethod
    def read(self, entity_id: str) -> Command:
        """The command that reads it."""

    @abstractmethod
    def delete(self, entity_id: str) -> Command:
        """The command that deletes it."""

    @abstractmethod
    def create(self, entity_id: str, whole: dict[str, Any], call: Call) -> Command:
        """The command that creates it; refuses what is not a whole description."""

    @abstractmethod
    def update(self, record: R, patch: dict[str, Any], rev: int, call: Call) -> Command | None:
        """The command that patches it; None when that changes nothing."""

    @abstractmethod
    def view(self, record: R, tag: str, call: Call) -> bytes:
        """It as clients see it, with its ETag."""

    def patch_of(self, call: Call) -> dict[str, Any]:
        """The merge patch in the body of a request."""
        patch: dict[str, Any] = self.fold(read_object(call.body))
        return patch

    def tag(self, record: R) -> str:
        """Its ETag."""
        return etag(self.kind, record)

    def answer(self, status: int, record: R, call: Call) -> Answer:
        """An answer that shows it."""
        tag = self.tag(record)
        return status, self.view(record, tag, call), version_headers(record, tag)


def version_headers(record: Record, tag: str) -> list[Header]:
    """The headers that tell which version of an entity is shown."""
    return [(b"etag", tag.encode()), (b"last-modified", http_date(record.modified_at // 1000).encode())]


async def get(entity: Entity[R], call: Call, entity_id: str) -> Answer:
    """Reads one."""
    return entity.answer(200, entity.record.parse(await call.run(entity.read(entity_id))), call)


async def delete(entity: Entity[R], call: Call, entity_id: str) -> Answer:
    """Deletes one; a missing one counts as deleted."""
    await call.run(entity.delete(entity_id))
    return 204, b"", ()


async def page(entity: Entity[R], call: Call, request: PageRequest, command: Command) -> Answer:
    """Lists a page of them."""
    reply = await call.run(command)
    records = [entity.record.parse(row) for row in reply["rows"]]
    rows = [entity.view(record, entity.tag(record), call) for record in records]
    return 200, lists.page(rows, request.link(call, int(reply["next"]))), ()


async def upsert(entity: Entity[R], call: Call, entity_id: str) -> Answer:
    """Creates one, or merges a patch into it.

    A patch that describes a whole entity is first tried as a creation, which is one call of the store. Else,
    or when the entity exists, the patch is merged into what was read, and written only if that is still what
    is stored.
    """
    patch = entity.patch_of(call)
    conditions = Conditions(call)
    creation = _creation(entity, entity_id, patch, call)
    record: R | None = None
    if conditions.need_record or isinstance(creation, ApiError):
        record = await _find(entity, entity_id, call)
    for attempt in range(ATTEMPTS):
        if record is None:
            conditions.check(None, 0)
            reply = await _create(entity, entity_id, creation, call)
            record = entity.record.parse(reply)
            if reply["outcome"] != "exists":
                return entity.answer(201 if reply["outcome"] == "created" else 200, record, call)
        conditions.check(entity.tag(record), record.modified_at)
        update = entity.update(record, patch, record.rev if conditions.need_record else -1, call)
        answer = await _attempt(entity, call, record, update, attempt)
        if answer is not None:
            return answer
        record = await _find(entity, entity_id, call)
    raise _too_often()


async def change(
    entity: Entity[R], call: Call, entity_id: str, update: Callable[[R], Command | None]
) -> Answer:
    """Replaces one by what an action makes of it, if anything, tried again while others change it."""
    conditions = Conditions(call)
    for attempt in range(ATTEMPTS):
        record = entity.record.parse(await call.run(entity.read(entity_id)))
        conditions.check(entity.tag(record), record.modified_at)
        answer = await _attempt(entity, call, record, update(record), attempt)
        if answer is not None:
            return answer
    raise _too_often()


async def _attempt(
    entity: Entity[R], call: Call, record: R, update: Command | None, attempt: int
) -> Answer | None:
    """The answer after an update, or when there is none; None, after a pause, when others were faster."""
    if update is None:
        return entity.answer(200, record, call)
    try:
        return entity.answer(200, entity.record.parse(await call.run(update)), call)
    except Refused as refused:
        if refused.code != "CHANGED":
            raise
    await asyncio.sleep(random.uniform(0, min(LONGEST_PAUSE, 0.002 * 2**attempt)))
    return None


def _too_often() -> ServiceUnavailable:
    return ServiceUnavailable("The item changed too often while this request was merged into it.")


def _creation(entity: Entity[R], entity_id: str, patch: dict[str, Any], call: Call) -> Command | BadRequest:
    """The command that creates what a patch describes, or why it cannot."""
    try:
        # without a null there is nothing that a merge into nothing would change
        whole = merge({}, patch) if b"null" in call.body else patch
        return entity.create(entity_id, whole, call)
    except BadRequest as reason:
        return reason


async def _create(entity: Entity[R], entity_id: str, creation: Command | BadRequest, call: Call) -> Any:
    if isinstance(creation, BadRequest):
        raise creation
    try:
        return await call.run(creation)
    except OutOfMemory as full:
        # only what adds an entity is refused: if it is there, it may still be updated
        try:
            return {**await call.run(entity.read(entity_id)), "outcome": "exists"}
        except Refused:
            raise full from None


async def _find(entity: Entity[R], entity_id: str, call: Call) -> R | None:
    try:
        return entity.record.parse(await call.run(entity.read(entity_id)))
    except Refused as refused:
        if refused.code != "NOT_FOUND":
            raise
        return None
