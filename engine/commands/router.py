"""A router as a whole: what is due, its settings, its state, its limit of requests."""

from __future__ import annotations

import msgspec

from engine.commands.base import Command


class AgendaDue(Command, frozen=True):
    """Do what is due, at most one batch; the sweep of the workers."""

    function = "jr_agenda_due"


class AllowanceLease(Command, frozen=True):
    """Take up to ``wanted`` requests from a router's bucket of ``limit``, which fills in ``window_ms``."""

    function = "jr_allowance_lease"

    wanted: int
    limit: int
    window_ms: int


class SettingsWrite(Command, frozen=True):
    """Settings of one tenant; what is left out returns to its default. Times in ms, 0 outage_ms = off.

    recording: so many of the newest calls that may write are kept in a log (0 = none, and it is removed).
    """

    function = "jr_settings_write"

    keep_finished_ms: int = 90 * 86_400_000
    keep_finished_count: int = 1_000_000
    keep_events_ms: int = 7 * 86_400_000
    keep_events_count: int = 1_000_000
    outage_ms: int = 5_000
    unassign_limit: int = 3
    worker_offers: int = 1_000
    batch: int = 100
    parked_events: int = 10_000
    keep_dead_letters_ms: int = 7 * 86_400_000
    keep_dead_letters_count: int = 10_000
    questions: int = 100
    recording: int = 0


class RouterStatus(Command, frozen=True):
    function = "jr_router_status"
    write = False


class RouterRights(Command, frozen=True):
    """Which of these commands of the server, as a library calls them, the caller may not use."""

    function = "jr_router_rights"
    write = False

    commands: list[str] = msgspec.field(default_factory=list)


class Check(Command, frozen=True):
    """Verify entities (``job:…``, ``worker:…``, ``queue:…``, ``subscription:…``) and all they link to."""

    function = "jr_check"
    write = False

    ids: list[str] = msgspec.field(default_factory=list)
