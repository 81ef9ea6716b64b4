"""The language of stories about deliveries: a router whose time is an argument, and deliverers by name."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from engine import commands as c
from tests.subscriptions.router import START, Router
from tests.support import SyncStore

LEASE = 3_000
Change = tuple[Any, ...]

__all__ = ["LEASE", "START", "Story"]


class Story(Router):
    """Everything is verified after each call. Times are milliseconds since START."""

    def __init__(self, store: SyncStore, root: str) -> None:
        super().__init__(store, root)
        self.numbers: dict[int, int] = {}

    def agreed(self, *ids: str, **asked: Any) -> None:
        """Subscriptions whose endpoints have agreed."""
        for subscription_id in ids:
            self.subscribe(subscription_id, **asked)
        self.agree()

    def claim(self, holder: str, count: int = 100) -> dict[str, Any]:
        """What a deliverer takes, by subscription; its share and what it holds under these names."""
        reply = self.run(c.SubscriptionClaim(holder, count, LEASE))
        taken = {row["id"]: row for row in reply["rows"]}
        for row in taken.values():
            self.numbers[int(row["token"])] = 0
        return {"share": reply["share"], "held": reply["held"], **taken}

    def take(self, holder: str = "h", subscription_id: str = "s") -> int:
        """Takes one subscription; gives its token."""
        return int(self.claim(holder)[subscription_id]["token"])

    def held(self, holder: str) -> list[str]:
        """The subscriptions that a deliverer has."""
        ids: list[str] = self.run(c.SubscriptionHeld(holder))["ids"]
        return sorted(ids)

    def commit(
        self,
        token: int,
        cursor: int = 0,
        *,
        id: str = "s",
        number: int | None = None,
        ahead: str = "",
        lost: bool = False,
        delivered: int = 0,
        error: str = "",
        **changes: Iterable[Change],
    ) -> dict[str, Any]:
        """The next commit of a taking, or that of a number; ``gone`` are the lanes of lost events."""
        if "gone" in changes:
            changes["lost"] = changes.pop("gone")
        if number is None:
            number = self.numbers[token] = self.numbers[token] + 1
        text = json.dumps({kind: list(map(list, rows)) for kind, rows in changes.items()})
        return self.run(c.SubscriptionCommit(id, token, number, cursor, lost, delivered, ahead, text, error))

    def due(self, subscription_id: str = "s", limit: int = 100) -> list[tuple[str, str, str]]:
        """What is to be tried again: lane, place, what is known of its tries."""
        rows = self.run(c.SubscriptionDue(subscription_id, limit))["rows"]
        return [(row["lane"], row["place"], row["tries"]) for row in rows]

    def letters(self, subscription_id: str = "s", **page: Any) -> list[dict[str, Any]]:
        """The dead letters."""
        rows: list[dict[str, Any]] = self.run(c.DeadLetterList(subscription_id, **page))["rows"]
        return rows
