"""What is not right with the subscriptions of a router."""

from __future__ import annotations

from collections.abc import AsyncIterator

from redis.asyncio import Redis

from engine.commands import EventList, SubscriptionList
from engine.diagnosis.findings import Finding, duration, named
from engine.model import SubscriptionRecord
from engine.store import Store

BEHIND_SECONDS = 60.0
"""How old the next event of a subscription may be."""
UNTAKEN_SECONDS = 30.0

_PORTION = 100


async def look_at_subscriptions(
    client: Redis, store: Store, root: str, now_ms: int
) -> AsyncIterator[Finding]:
    """Looks at all subscriptions of a router. Raises RedisError and Unavailable."""
    number = wrong = cursor = 0
    while True:
        reply = await store.run(root, SubscriptionList(_PORTION, cursor))
        for row in reply["rows"]:
            record = SubscriptionRecord.parse(row)
            # who is still being asked, or switched off, gets none
            number += record.status == "enabled"
            finding = await _subscription(store, root, record, now_ms)
            if finding is not None:
                wrong += 1
                yield finding
        cursor = int(reply["next"])
        if not cursor:
            break
    untaken = int(await client.zcount(f"{root}:deliveries", "-inf", now_ms - UNTAKEN_SECONDS * 1000))
    if untaken:
        yield Finding(
            "warning",
            "untaken",
            f"{untaken} subscriptions are delivered by no worker.",
            "Start more workers, or look into their log.",
        )
    elif number and not wrong:
        them = "the one subscription that wants" if number == 1 else f"all {number} subscriptions that want"
        yield Finding("ok", "subscriptions", f"Events reach {them} them.")


_ADVICE = {
    "refused": (
        "has not agreed to get events",
        "Ask its endpoint again with POST /ext/v1/subscriptions/{id}:validate.",
    ),
    "failing": ("fails: too many of its events wait for another try", "Look why its endpoint refuses them."),
    "lagged": (
        "has lost events that were not kept for long enough",
        "Keep events for longer (--keep-events), or let its endpoint answer faster.",
    ),
}


async def _subscription(store: Store, root: str, found: SubscriptionRecord, now_ms: int) -> Finding | None:
    """What is wrong with a subscription, if anything is."""
    error = f" Its last error: {found.last_error}" if found.last_error else ""
    if found.status in _ADVICE:
        text, todo = _ADVICE[found.status]
        return Finding(
            "warning", f"subscription_{found.status}", f"Subscription {named(found.id)} {text}.{error}", todo
        )
    if found.status != "enabled":
        return None
    rows = (await store.run(root, EventList(found.cursor, 1)))["rows"]
    behind = (now_ms - int(rows[0]["at"])) / 1000 if rows else 0.0
    if behind <= BEHIND_SECONDS:
        return None
    return Finding(
        "warning",
        "stuck_cursor",
        f"Subscription {named(found.id)} is {duration(behind)} behind.{error}",
        "Look whether workers run and whether its endpoint answers.",
    )
