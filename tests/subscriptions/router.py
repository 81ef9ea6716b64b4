"""A router with subscriptions, whose time is an argument; after each call its subscriptions are verified."""

from __future__ import annotations

from typing import Any

from engine import commands as c
from engine.event_filters import EventFilters
from engine.model import SubscriptionRecord
from engine.subscriptions.model import Schema, Secrets, Subscription, target
from tests.support import SyncStore

START = 1_700_000_000_000
URL = "https://hooks.example.com/events"
CODE = "code-of-a-handshake"
Reply = dict[str, Any]


class Router:
    """One tenant. Times are milliseconds since START."""

    def __init__(self, store: SyncStore, root: str) -> None:
        self.store = store
        self.root = root
        self.redis: Any = store.redis
        self.now = 0

    def run(self, command: c.Command) -> Reply:
        """Runs a command; then no invariant of any subscription may be broken."""
        try:
            return self.store.run(self.root, command, START + self.now)
        finally:
            assert self.problems() == []

    def problems(self) -> list[str]:
        """What jr_check finds wrong with subscriptions, also with those that are gone."""
        prefix = f"{self.root}:subscription:"
        ids = {key.removeprefix(prefix) for key in self.redis.scan_iter(match=f"{prefix}*", count=10_000)}
        ids |= {"gone", "s"}
        check = c.Check([f"subscription:{one}" for one in sorted(ids)])
        problems: list[str] = self.store.run(self.root, check, START + self.now)["problems"]
        return problems

    def at(self, time: int) -> None:
        """Lets time pass, and does what is due."""
        self.now = time
        while self.run(c.AgendaDue())["more"]:
            pass

    def subscribe(
        self,
        subscription_id: str = "s",
        *,
        doc: int = 0,
        rev: int = -1,
        url: str = URL,
        schema: Schema = "eventGrid",
        filters: EventFilters | None = None,
        enabled: bool = True,
        after: int = -1,
        code: str = CODE,
        signing: tuple[str, ...] = (),
        **more: Any,
    ) -> Reply:
        """Creates a subscription, or replaces the one whose counter is ``doc``."""
        stored = Subscription(
            url=url.partition("?")[0],
            schema=schema,
            filters=filters or EventFilters(),
            enabled=enabled,
            after=after,
            signing=len(signing),
            **more,
        )
        return self.run(
            c.SubscriptionUpsert(
                id=subscription_id,
                doc=doc,
                rev=rev,
                enabled=enabled,
                after=after,
                target=target(schema, url),
                origin="https://router.example.com",
                document=stored.text,
                secret=Secrets(url, list(signing)).text,
                code=code,
            )
        )

    def read(self, subscription_id: str = "s") -> SubscriptionRecord:
        """A subscription, with its secret."""
        return SubscriptionRecord.parse(self.run(c.SubscriptionRead(subscription_id, secrets=True)))

    def status(self, subscription_id: str = "s") -> str:
        return self.read(subscription_id).status

    def lease(self) -> list[Reply]:
        """The handshakes that a worker takes."""
        rows: list[Reply] = self.run(c.TaskLease(100, 30_000))["rows"]
        return rows

    def answer(self, question: Reply, outcome: str, reason: str = "") -> str:
        """Brings the outcome of a handshake."""
        asked, revision = int(question["asked"]), int(question["revision"])
        answer = c.TaskAnswer(question["task"], asked, revision, f"{outcome}\n{reason}")
        done: str = self.run(answer)["outcome"]
        return done

    def agree(self) -> None:
        """All endpoints that are asked agree."""
        for question in self.lease():
            assert self.answer(question, "agreed") == "done"

    def deliveries(self) -> list[str]:
        """The subscriptions that deliver."""
        found: list[str] = self.redis.zrange(f"{self.root}:deliveries", 0, -1)
        return found

    def job(self, job_id: str) -> int:
        """Makes an event, and gives the number of its entry."""
        self.run(c.PolicyUpsert("distribution", "p", expires_ms=1, mode="longestIdle", document="{}"))
        self.run(c.QueueUpsert("q", distribution="p"))
        return int(self.run(c.JobCreate(job_id, channel="voice", queue="q"))["op"])
