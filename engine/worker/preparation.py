"""Brings a store up to date: our library, and the settings of every tenant."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable

from engine.commands import RouterRights, RouterStatus, SettingsWrite
from engine.errors import Failed, NewerLibrary, NotLetIn, Refused, Unavailable
from engine.library import library
from engine.settings import Settings
from engine.store import Store, root_of

log = logging.getLogger("jobrouter")

_PAUSE_SECONDS = 0.1
_LONGEST_PAUSE_SECONDS = 2.0
_OURS = (
    "keep_finished_ms",
    "keep_finished_count",
    "keep_events_ms",
    "keep_events_count",
    "keep_dead_letters_ms",
    "keep_dead_letters_count",
    "outage_ms",
)


async def prepare(store: Store, settings: Settings, *, writes: bool) -> None:
    """Loads the library and, if asked, writes the settings that differ; waits for an unreachable store.

    Raises Failed when the library cannot be loaded or our user may not use all that it calls, NewerLibrary
    when that of the store is newer and lacks what is needed, NotLetIn when the store wants another password,
    Refused when the data are newer than the library.
    """

    async def work() -> None:
        await _verify_rights(store, settings.tenants)
        await store.load()
        for tenant in settings.tenants if writes else ():
            await _write(store, root_of(tenant), settings)

    await _patiently(work, lambda error: log.warning("waiting for the store: %s", error))


class Preparation:
    """Does the same for each tenant that it is called with, as soon as its primary answers."""

    def __init__(self, store: Store, settings: Settings, *, writes: bool = True) -> None:
        self.reached = asyncio.Event()
        """Set when it is done for one of them."""
        self._store = store
        self._settings = settings
        self._writes = writes
        self._told = False

    async def __call__(self, tenant: str) -> None:
        """Prepares the store for one tenant. Raises what ``prepare`` does."""
        root = root_of(tenant)

        async def work() -> None:
            await _verify_rights(self._store, [tenant])
            await self._store.load_at(root)
            if self._writes:
                await _write(self._store, root, self._settings)

        await _patiently(work, self._tell)
        self.reached.set()

    def _tell(self, error: Unavailable) -> None:
        if not self._told:
            log.warning("waiting for the store: %s", error)
        self._told = True


async def _patiently(work: Callable[[], Awaitable[None]], waits: Callable[[Unavailable], None]) -> None:
    """Tries until the store answers; the first failure is told."""
    pause = _PAUSE_SECONDS
    while True:
        try:
            await work()
            return
        except (NewerLibrary, NotLetIn):
            # time alone changes nothing about it
            raise
        except Unavailable as error:
            if pause == _PAUSE_SECONDS:
                waits(error)
        await asyncio.sleep(pause)
        pause = min(_LONGEST_PAUSE_SECONDS, 2 * pause)


async def _verify_rights(store: Store, tenants: Iterable[str]) -> None:
    # a function that is refused a command in its midst leaves half of its writes: so the library of the
    # store, if it has one, is asked before ours takes its place and others call it
    looked_at = set()
    for root in map(root_of, tenants):
        address = await store.servers.address(root)
        if address in looked_at:
            continue
        looked_at.add(address)
        try:
            reply = await store.run(root, RouterRights(sorted(map(str.upper, library().commands))))
        except (NewerLibrary, Refused):
            # newer than we are: what that one calls is for others to know
            continue
        if denied := ", ".join(reply["denied"]):
            raise Failed(
                f"our user of the store may not use {denied}, which the library calls: "
                "print the users anew with 'jobrouter acl' and load them"
            )


async def _write(store: Store, root: str, settings: Settings) -> None:
    status = await store.run(root, RouterStatus())
    present = {name: status[name] for name in SettingsWrite.__struct_fields__}
    wanted = {**present, **{name: getattr(settings, name) for name in _OURS}}
    if wanted != present:
        await store.run(root, SettingsWrite(**wanted))
