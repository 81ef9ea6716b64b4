"""The worker: sweeps every tenant in time. Any number of them may run at once."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

from engine.store import Store
from engine.worker.alarms import Alarms
from engine.worker.expiry import Sweeper


class Worker:
    """Sweepers of all tenants, woken by the alarms of the server unless ``notifications`` is false."""

    def __init__(self, store: Store, url: str, tenants: Iterable[str], *, notifications: bool = True) -> None:
        self.sweepers = {tenant: Sweeper(store, tenant) for tenant in tenants}
        self.alarms = Alarms(url, self.sweepers.values()) if notifications else None

    async def run(self) -> None:
        """Works until it is cancelled."""
        async with asyncio.TaskGroup() as group:
            for sweeper in self.sweepers.values():
                group.create_task(sweeper.run())
            if self.alarms is not None:
                group.create_task(self.alarms.run())
