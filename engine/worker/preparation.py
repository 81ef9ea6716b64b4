"""Brings a store up to date: our library, and the settings of every tenant."""

from __future__ import annotations

import asyncio
import logging

from engine.commands import RouterStatus, SettingsWrite
from engine.errors import NewerLibrary, Unavailable
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

    Raises Failed when the library cannot be loaded, NewerLibrary when that of the store is newer and lacks
    what is needed, Refused when the data are newer than the library.
    """
    pause = _PAUSE_SECONDS
    while True:
        try:
            await store.load()
            for tenant in settings.tenants if writes else ():
                await _write(store, root_of(tenant), settings)
            return
        except NewerLibrary:
            raise
        except Unavailable as error:
            if pause == _PAUSE_SECONDS:
                log.warning("waiting for the store: %s", error)
        await asyncio.sleep(pause)
        pause = min(_LONGEST_PAUSE_SECONDS, 2 * pause)


async def _write(store: Store, root: str, settings: Settings) -> None:
    status = await store.run(root, RouterStatus())
    present = {name: status[name] for name in SettingsWrite.__struct_fields__}
    wanted = {**present, **{name: getattr(settings, name) for name in _OURS}}
    if wanted != present:
        await store.run(root, SettingsWrite(**wanted))
