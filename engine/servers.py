"""The servers of a deployment: one auto-pipelined connection to each primary, found by the root of a tenant.

Where primaries change, in a cluster or behind Sentinel, one task looks at the topology: from time to time,
and when a connection is lost or an answer says that the keys are elsewhere. Who is primary no more is let go:
calls it has not answered fail as unknown at once, and whoever listens to it has to listen elsewhere.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator

from engine.address import Address
from engine.connection import Connection
from engine.deployment import Deployment
from engine.errors import Unavailable
from engine.layout import Layout
from engine.replicated import Durability, ReplicatedConnection
from engine.sharing import outcome_of
from engine.topology import OneServer, Topology, topology_of
from engine.unending import unending

log = logging.getLogger("jobrouter.store")

LOOK_SECONDS = 1.0
"""The longest pause between two looks at the topology."""
LEAST_SECONDS = 0.1
"""The shortest."""

_ELSEWHERE = ("MOVED", "ASK", "CLUSTERDOWN", "READONLY")


class Servers:
    """Connections to all primaries. ``known`` are those of the roots that were asked for, while they hold.

    ``changed`` is set when primaries change, and is another event from then on. ``timeout`` is that of a
    call, in seconds.
    """

    def __init__(
        self, topology: Topology, *, timeout: float = 5.0, durability: Durability | None = None
    ) -> None:
        self.known: dict[str, Connection] = {}
        self._topology = topology
        self._timeout = timeout
        self._durability = durability
        self._layout = topology.layout if isinstance(topology, OneServer) else Layout(())
        self._connections: dict[Address, Connection] = {}
        self._stays: set[_Stay] = set()
        self.changed = asyncio.Event()
        self._wanted = asyncio.Event()
        self._looking: asyncio.Task[None] | None = None
        self._looked_at = -LEAST_SECONDS
        self._watching: asyncio.Task[None] | None = None
        self._closed = False

    @classmethod
    def of(cls, url: str, *, timeout: float = 5.0, durability: Durability | None = None) -> Servers:
        """The servers that a URL names. Raises ValueError."""
        return cls(topology_of(Deployment.parse(url)), timeout=timeout, durability=durability)

    # ---- where things are ----------------------------------------------------------------------------------

    async def find(self, root: str) -> Connection:
        """The connection to the primary that has a tenant's keys. Raises Unavailable."""
        address = await self.address(root)
        connection = self.known[root] = self._connection(address)
        return connection

    async def address(self, root: str) -> Address:
        """Where the primary that has a tenant's keys listens. Raises Unavailable."""
        address = self._layout.primary_of(root)
        if address is None:
            await self.look()
            address = self._layout.primary_of(root)
        if address is None:
            raise Unavailable("no server has the keys of this router now; the call was not sent")
        return address

    async def primaries(self) -> dict[Address, Connection]:
        """Every primary that has keys. Raises Unavailable."""
        if not self._layout.ranges:
            await self.look()
        return {address: self._connection(address) for address in self._layout.primaries}

    async def missing(self) -> int:
        """How many of the slots of a cluster no server has. Raises Unavailable."""
        await self.primaries()
        return self._layout.missing

    @contextlib.asynccontextmanager
    async def staying(self, root: str) -> AsyncIterator[Address]:
        """Where a tenant's primary listens; TimeoutError inside as soon as another is. Raises Unavailable."""
        address = await self.address(root)
        async with asyncio.timeout(None) as limit:
            stay = _Stay(root, address, limit)
            self._stays.add(stay)
            try:
                yield address
            finally:
                self._stays.discard(stay)

    # ---- looking -------------------------------------------------------------------------------------------

    def moved(self, connection: Connection, message: str) -> bool:
        """An error reply says that its server is not the one to ask, and another should be looked for."""
        if not message.startswith(_ELSEWHERE):
            return False
        if self._topology.fixed or message.startswith("READONLY"):
            # a name may lead to another server now
            connection.drop()
        self._wanted.set()
        return not self._topology.fixed

    async def look(self) -> None:
        """Looks at the topology, once for all who ask meanwhile. Raises Unavailable."""
        if self._closed:
            raise Unavailable("the store is closed")
        if self._looking is None or self._looking.done():
            self._looking = asyncio.create_task(self._look())
            # everybody who waits may have gone away
            self._looking.add_done_callback(lambda task: task.cancelled() or task.exception())
        await outcome_of(self._looking, "the store is closed")
        if self._watching is None and not self._topology.fixed and not self._closed:
            watching = unending(self._watch, "looking at the topology of the store", log)
            self._watching = asyncio.create_task(watching)

    async def _look(self) -> None:
        loop = asyncio.get_running_loop()
        await asyncio.sleep(max(0.0, self._looked_at + LEAST_SECONDS - loop.time()))
        try:
            layout = await self._topology.look()
        finally:
            self._looked_at = loop.time()
        self._take(layout)

    async def _watch(self) -> None:
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(LOOK_SECONDS):
                    await self._wanted.wait()
            self._wanted.clear()
            with contextlib.suppress(Unavailable):
                await self.look()

    def _take(self, layout: Layout) -> None:
        if layout == self._layout:
            return
        if self._layout.ranges:
            now = ", ".join(address.shown for address in layout.primaries)
            log.warning("the primaries of the store have changed: %s", now)
        self._layout = layout
        self.known.clear()
        for address in self._connections.keys() - {*layout.primaries}:
            self._connections.pop(address).let_go()
        for stay in self._stays:
            stay.look(layout)
        self.changed.set()
        self.changed = asyncio.Event()

    def _connection(self, address: Address) -> Connection:
        connection = self._connections.get(address)
        if connection is None:
            if self._closed:
                raise Unavailable("the store is closed")
            connection = self._connections[address] = self._made(address)
        return connection

    def _made(self, address: Address) -> Connection:
        if self._durability is None:
            return Connection(address, timeout=self._timeout, on_lost=self._wanted.set)
        return ReplicatedConnection(
            address, self._durability, timeout=self._timeout, on_lost=self._wanted.set
        )

    async def close(self) -> None:
        """Closes all connections; calls under way fail as unknown."""
        self._closed = True
        tasks = [task for task in (self._watching, self._looking) if task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for connection in self._connections.values():
            await connection.close()
        await self._topology.close()


class _Stay:
    """Somebody who talks to a primary over a connection of his own."""

    def __init__(self, root: str, address: Address, limit: asyncio.Timeout) -> None:
        self._root = root
        self._address = address
        self._limit = limit

    def look(self, layout: Layout) -> None:
        """Ends it when the primary is another."""
        if layout.primary_of(self._root) != self._address and not self._limit.expired():
            self._limit.reschedule(asyncio.get_running_loop().time())
