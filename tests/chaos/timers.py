"""Offers that nobody answers, in a router that nobody calls: its workers end them, sooner or later."""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import datetime

from engine.commands import JobCreate, PolicyUpsert, QueueUpsert, WorkerRead, WorkerUpsert
from engine.model import Channel, channels_text, strings_text
from tests.chaos.event_log import ENDS, OFFER, EventLog
from tests.support import SyncStore

CHANNEL = "voice"
HOUR = 3_600


def set_timers(store: SyncStore, root: str, chance: random.Random, count: int, seconds: float) -> None:
    """Makes so many offers that end within the time, each of a queue, a worker and a job of its own."""
    for number in range(count):
        set_timer(store, root, f"timer-{number}", round(chance.uniform(1, seconds) * 1000))


def set_timer(store: SyncStore, root: str, name: str, expires_ms: int) -> None:
    """Makes an offer that ends after so many milliseconds."""
    policy = PolicyUpsert("distribution", name, mode="longestIdle", expires_ms=expires_ms, document="{}")
    worker = WorkerUpsert(
        name,
        capacity=1,
        available=True,
        queues=strings_text([name]),
        channels=channels_text([Channel(CHANNEL, 1)]),
    )
    job = JobCreate(name, channel=CHANNEL, queue=name)
    for command in (policy, QueueUpsert(name, distribution=name), worker, job):
        store.run(root, command)


def are_over(store: SyncStore, root: str) -> bool:
    """Is nothing planned for the next hour? To read the log until all offers have ended would delay them."""
    seconds, _ = store.redis.time()  # type: ignore[misc]
    return not store.redis.zcount(f"{root}:agenda", "-inf", (seconds + HOUR) * 1000)


def unended(log: EventLog) -> list[str]:
    """Offers of which no end is told."""
    ended = {event.data["offerId"] for event in log.events if event.kind in ENDS}
    issued = [event.data["offerId"] for event in log.of(f"{OFFER}Issued")]
    return [offer for offer in issued if offer not in ended]


def forgotten(store: SyncStore, root: str, log: EventLog) -> list[str]:
    """Offers of a log that have no end and are not in the record of their worker either."""
    workers = {event.data["offerId"]: event.data["workerId"] for event in log.of(f"{OFFER}Issued")}
    missing = {one for one in unended(log) if f"o:{one}" not in store.run(root, WorkerRead(workers[one]))}
    # they may have ended since the log was read
    return sorted(missing.intersection(unended(EventLog(store, root)))) if missing else []


def lateness(log: EventLog, counts: Callable[[float], bool]) -> list[float]:
    """How late offers have expired, ascending, in milliseconds; of those whose time (epoch ms) counts."""
    due = {event.data["offerId"]: _ms(event.data["expiresOn"]) for event in log.of(f"{OFFER}Issued")}
    ends = [(due[event.data["offerId"]], event.at) for event in log.of(f"{OFFER}Expired")]
    return sorted(at - planned for planned, at in ends if counts(planned))


def _ms(text: str) -> float:
    return datetime.fromisoformat(text).timestamp() * 1000
