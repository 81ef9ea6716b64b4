"""The outbox: what happened, in order, for clients that pull."""

from __future__ import annotations

import re
from typing import Any

from api.call import Answer, Call
from api.errors import BadRequest, Detail, Gone
from api.wire import event_filters, lists, queries
from engine.commands import EventList
from engine.event_filters import EventFilters
from engine.outbox import Lost, NotReached, check_kept, check_reached

DEFAULT_LIMIT = 100
MAX_LIMIT = 1000
SCANNED = 2_000
"""Entries that a page with filters looks at, at most."""
PORTION = 200
"""Entries that are read at a time, in 1.5 ms: the store has other things to do."""

_ENTRY = re.compile(r"([0-9]{1,15})(?:-0)?")
_PARAMETERS = ("after", "limit")


async def page(call: Call) -> Answer:
    """Lists entries of the outbox after one; from the oldest kept when none is named.

    With filters, entries show only the events that pass, and those without any are left out.
    """
    filters = event_filters.filters(call.raw_query, _PARAMETERS)
    after = _entry_number(call.query.get("after", ""))
    limit = queries.whole(call.query, "limit", DEFAULT_LIMIT, MAX_LIMIT)
    unfiltered = filters == EventFilters()
    found: list[dict[str, Any]] = []
    seen, scanned, more, oldest = after, 0, True, 0
    while more and scanned < SCANNED and len(found) < limit:
        wanted = min(PORTION, limit - len(found)) if unfiltered else PORTION
        reply = await _list(call, seen, wanted)
        more, oldest = len(reply["rows"]) == wanted, oldest or int(reply["oldest"])
        for row in reply["rows"]:
            if len(found) == limit:
                break
            seen, scanned = int(row["op"]), scanned + 1
            events = row["events"] if unfiltered else _passing(row["events"], filters)
            if events:
                found.append({**row, "events": events})
    return 200, lists.events(found, seen if scanned else 0, oldest), ()


def _passing(events: list[str], filters: EventFilters) -> list[str]:
    """Of types and payloads in turn those that pass."""
    pairs = zip(events[::2], events[1::2], strict=True)
    return [text for kind, payload in pairs if filters.passes(kind, payload) for text in (kind, payload)]


async def _list(call: Call, after: int, limit: int) -> dict[str, Any]:
    reply: dict[str, Any] = await call.run(EventList(after, limit))
    if after:
        try:
            check_reached(after, reply)
            check_kept(after, reply)
        except Lost as lost:
            raise gone(lost) from None
    return reply


def gone(lost: Lost) -> Gone:
    """The answer when the log does not have the place that was asked for: it names the oldest entry."""
    entry, after = lists.entry_id(lost.oldest), lists.entry_id(lost.after)
    why = f"Entries after {after} are not kept any more."
    if isinstance(lost, NotReached):
        why = (
            f"The log has not come to {after}: its last entry is {lists.entry_id(lost.last)}. "
            "The place is of another router, or the store has been set back."
        )
    return Gone(
        f"{why} The oldest kept entry is {entry}: 'after=0' starts with it.",
        details=[Detail("Oldest", entry)],
    )


def _entry_number(text: str) -> int:
    found = _ENTRY.fullmatch(text or "0")
    if not found:
        raise BadRequest("The query parameter 'after' is not valid: it must be the id of an entry.")
    return int(found[1])
