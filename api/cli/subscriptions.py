"""``jobrouter subscriptions``: looks after the subscriptions of a live store."""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import msgspec

from api.cli.check import store_url
from api.cli.plain import plain, plain_json, plain_line
from api.cli.serve import run_until_told
from api.errors import BadRequest
from api.merge_patch import merge
from api.options import Options
from api.serving import addresses
from api.serving.access_keys import BadOption
from api.serving.settings import tenants_of
from api.subscriptions import replayed
from api.wire import dead_letters as dead_letters_wire
from api.wire import subscriptions as wire
from api.wire.values import checked_id
from engine.commands import (
    Command,
    DeadLetterList,
    SubscriptionDelete,
    SubscriptionList,
    SubscriptionRead,
)
from engine.errors import Refused
from engine.model import SubscriptionRecord
from engine.store import Store, root_of
from engine.subscriptions.model import Subscription

Run = Callable[[Command], Awaitable[Any]]

_PAGE = 100


class _Told(Exception):
    """What a command has to say instead of doing something."""


def run(options: Options) -> int:
    """Does what the options ask for. Gives 0, 1 when that was not possible, 2 when it is not well put."""
    action = ACTIONS[options.action]
    missing = [name for name in action.takes if not getattr(options, name)]
    if missing:
        raise BadOption(f"'subscriptions {options.action}' needs {' and '.join(missing)}.")

    async def work() -> int:
        store = await Store.open(store_url(options))
        try:
            await action.run(partial(store.run, root_of(next(iter(tenants_of(options))))), options)
        except Refused as refusal:
            if refusal.code not in ("NOT_FOUND", "LIMIT", "INVALID"):
                raise
            text = f"there is no subscription {plain(options.id)}"
            raise _Told(text if refusal.code == "NOT_FOUND" else refusal.text) from None
        finally:
            await store.close()
        return 0

    try:
        return run_until_told(work)
    except _Told as told:
        print(f"jobrouter: {plain_line(str(told))}", file=sys.stderr)
        return 1
    except BadRequest as wrong:
        print(f"jobrouter: {plain_line(wrong.message)}", file=sys.stderr)
        return 2


# ---- what can be done --------------------------------------------------------------------------------------


async def _list(run: Run, options: Options) -> None:
    rows: list[Sequence[str]] = [("id", "status", "delivered", "waiting", "dead", "endpoint", "last error")]
    cursor = 0
    while True:
        reply = await run(SubscriptionList(_PAGE, cursor))
        rows += [_row(SubscriptionRecord.parse(row)) for row in reply["rows"]]
        cursor = int(reply["next"])
        if not cursor:
            break
    widths = [max(len(row[n]) for row in rows) for n in range(len(rows[0]))]
    for row in rows:
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        print("  ".join(cells).rstrip())


def _row(record: SubscriptionRecord) -> Sequence[str]:
    counts = (str(count) for count in (record.delivered, record.parked, record.dead))
    url = Subscription.parse(record.document).url
    return (plain(record.id), record.status, *counts, plain(url), plain(record.last_error))


async def _show(run: Run, options: Options) -> None:
    _print(wire.view(SubscriptionRecord.parse(await run(SubscriptionRead(options.id))), ""))


async def _add(run: Run, options: Options) -> None:
    checked_id(options.id)
    origin = _origin(options)
    if not origin:
        raise BadOption(
            "The address of the router is not known, with which the URLs begin that its endpoint may open to "
            "agree: give --public-base-url."
        )
    described = merge(wire.fold(options.properties), wire.destination(options.url))
    subscription = wire.body(described)
    given = described.get(wire.SIGNING_SECRETS)
    made = [secret for secret in subscription.signing_secrets or [] if given is None]
    reply = await run(wire.command(subscription, options.id, 0, -1, origin, ""))
    if reply["outcome"] == "exists":
        raise _Told(f"there is a subscription {plain(options.id)} already")
    _print(wire.view(SubscriptionRecord.parse(reply), "", made))


async def _delete(run: Run, options: Options) -> None:
    if (await run(SubscriptionDelete(options.id)))["outcome"] == "absent":
        raise _Told(f"there is no subscription {plain(options.id)}")


async def _validate(run: Run, options: Options) -> None:
    await _write_again(run, options, fresh_secret=False)


async def _rotate(run: Run, options: Options) -> None:
    await _write_again(run, options, fresh_secret=True)


async def _write_again(run: Run, options: Options, *, fresh_secret: bool) -> None:
    read = await run(SubscriptionRead(options.id, secrets=True))
    record = SubscriptionRecord.parse(read)
    subscription, origin = wire.body(wire.current(record)), _origin(options) or read["origin"]
    made = [wire.rotated(subscription)] if fresh_secret else []
    request = "" if made else wire.request_of(record)
    reply = await run(wire.command(subscription, record.id, record.doc, -1, origin, request))
    _print(wire.view(SubscriptionRecord.parse(reply), "", made))


async def _dead_letters(run: Run, options: Options) -> None:
    after = ""
    while True:
        reply = await run(DeadLetterList(options.id, after, _PAGE))
        for row in reply["rows"]:
            print(plain_json(msgspec.json.encode(dead_letters_wire.dead_letter_of(row)).decode()))
        after = reply["next"]
        if not after:
            return


async def _replay(run: Run, options: Options) -> None:
    print(f"{await replayed(run, options.id, None)} events are delivered once more")


def _origin(options: Options) -> str:
    """Where endpoints reach the router; empty when nobody says so."""
    origin = options.public_base_url
    if not origin and not options.redis_url:
        origin = addresses.known(Path(options.data_dir), next(iter(tenants_of(options))))
    return origin.rstrip("/")


def _print(view: bytes) -> None:
    shown = msgspec.json.decode(view)
    del shown["etag"]
    print(plain_json(msgspec.json.format(msgspec.json.encode(shown), indent=2).decode()))


class Action(msgspec.Struct, frozen=True):
    """Something that can be done, and the operands that it takes."""

    run: Callable[[Run, Options], Awaitable[None]]
    takes: Sequence[str] = ("id",)


ACTIONS: Mapping[str, Action] = {
    "list": Action(_list, ()),
    "show": Action(_show),
    "add": Action(_add, ("id", "url")),
    "delete": Action(_delete),
    "validate": Action(_validate),
    "rotate-secret": Action(_rotate),
    "dead-letters": Action(_dead_letters),
    "replay": Action(_replay),
}
