"""Settings of a process, as flags and environment variables give them."""

from __future__ import annotations

import msgspec

DAY_MS = 86_400_000


class Rate(msgspec.Struct, frozen=True):
    """So many requests in a time; all of them may come at once, after a pause that is as long."""

    limit: int
    window_ms: int

    def __str__(self) -> str:
        return f"{self.limit} requests in {self.window_ms / 1000:g} s"


class Tenant(msgspec.Struct, frozen=True):
    """One router: its name, its decoded access keys, the hosts it answers to besides ``<name>.…``, the keys
    of those who may only read, and what it may be asked in a time."""

    name: str
    keys: tuple[bytes, ...] = ()
    hosts: tuple[str, ...] = ()
    view_keys: tuple[str, ...] = ()
    rate: Rate | None = None


class Settings(msgspec.Struct, frozen=True):
    """What api and worker need to know. Times in milliseconds."""

    tenants: dict[str, Tenant]
    redis_url: str = ""
    public_base_url: str = ""
    trusted_proxies: tuple[str, ...] = ()
    max_body: int = 262_144
    max_requests: int = 1_000
    max_waiting: int = 10_000
    wait_replicas: int = 0
    wait_timeout_ms: int = 1_000
    max_connections: int = 12_000
    keep_finished_ms: int = 90 * DAY_MS
    keep_finished_count: int = 1_000_000
    keep_events_ms: int = 7 * DAY_MS
    keep_events_count: int = 1_000_000
    keep_dead_letters_ms: int = 7 * DAY_MS
    keep_dead_letters_count: int = 10_000
    outage_ms: int = 5_000
    notifications: bool = True
    allow_outgoing: tuple[str, ...] = ()
    rule_timeout_ms: int = 5_000
    rule_retries: int = 1
    delivery_timeout_ms: int = 30_000
    retry_scale: float = 1.0
    metric_labels: int = 100
    access_log: bool = False
    slow_request_ms: int = 1_000
