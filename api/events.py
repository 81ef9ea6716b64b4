"""The outbox: what happened, in order, for clients that pull."""

from __future__ import annotations

import re
from typing import Any

from api.call import Answer, Call
from api.errors import BadRequest, Detail, Gone
from api.wire import lists, queries
from engine.commands import EventList

DEFAULT_LIMIT = 100
MAX_LIMIT = 1000

_ENTRY = re.compile(r"([0-9]{1,15})(?:-0)?")


async def page(call: Call) -> Answer:
    """Lists entries of the outbox after one; from the oldest kept when none is named."""
    after = _entry_number(call.query.get("after", ""))
    limit = queries.whole(call.query, "limit", DEFAULT_LIMIT, MAX_LIMIT)
    reply = await call.run(EventList(after, limit))
    if after:
        _refuse_gap(after, reply)
    return 200, lists.events(reply), ()


def _entry_number(text: str) -> int:
    found = _ENTRY.fullmatch(text or "0")
    if not found:
        raise BadRequest("The query parameter 'after' is not valid: it must be the id of an entry.")
    return int(found[1])


def _refuse_gap(after: int, reply: dict[str, Any]) -> None:
    """Refuses when the entry that followed is not kept any more: the oldest one names its predecessor."""
    oldest, rows = int(reply["oldest"]), reply["rows"]
    cut = bool(rows) and int(rows[0]["op"]) == oldest and int(rows[0].get("prev") or 0) > after
    if cut or (not oldest and int(reply["last"]) > after):
        entry = lists.entry_id(oldest or int(reply["last"]) + 1)
        raise Gone(
            f"Entries after {lists.entry_id(after)} are not kept any more. The oldest kept entry is {entry}: "
            "leave 'after' out to start with it.",
            details=[Detail("Oldest", entry)],
        )
