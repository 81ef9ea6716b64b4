"""Asks who is primary now: nodes of a cluster, or Sentinels."""

from __future__ import annotations

import random
from typing import Any, Protocol

from redis.asyncio import Redis
from redis.asyncio.sentinel import Sentinel
from redis.exceptions import RedisError

from engine.address import Address
from engine.clients import administration, connection_options, put_away
from engine.deployment import Deployment
from engine.errors import Unavailable
from engine.layout import Layout

ANSWER_SECONDS = 0.5
"""How long one server may take to answer before another is asked."""


class Topology(Protocol):
    """Who is primary. ``fixed``: the same server for ever."""

    fixed: bool

    async def look(self) -> Layout:
        """How it is now. Raises Unavailable when nobody knows."""

    async def close(self) -> None:
        """Closes what it has opened."""


def topology_of(deployment: Deployment) -> Topology:
    """How the primaries of a deployment are found."""
    if deployment.kind == "cluster":
        return Cluster(deployment)
    if deployment.kind == "sentinel":
        return Sentinels(deployment)
    return OneServer(deployment.data)


class OneServer:
    """A server that is where it is."""

    fixed = True

    def __init__(self, address: Address) -> None:
        self.layout = Layout.single(address)

    async def look(self) -> Layout:
        """Always the same."""
        return self.layout

    async def close(self) -> None:
        """There is nothing to close."""


class Cluster:
    """The slot table of a cluster, as one of its nodes tells it; replicas tell it, too."""

    fixed = False

    def __init__(self, deployment: Deployment) -> None:
        self._seeds = deployment.asked
        self._data = deployment.data
        self._nodes: tuple[Address, ...] = ()
        self._answered: Address | None = None
        self._clients: dict[Address, Redis] = {}

    async def look(self) -> Layout:
        """The slot table now: who answered last is asked first. Raises Unavailable."""
        failure = "no node was named"
        for node in self._candidates():
            try:
                rows: Any = await self._client(node).execute_command("CLUSTER SLOTS")  # type: ignore[no-untyped-call]
            except (RedisError, OSError, TimeoutError) as error:
                failure = str(error)
                await self._forget(node)
                continue
            if not rows:
                failure = f"{node.shown} has no slots yet"
                continue
            self._answered = node
            self._nodes = tuple(dict.fromkeys(self._place(one, node) for row in rows for one in row[2:]))
            for gone in self._clients.keys() - {*self._nodes, *self._seeds}:
                await self._forget(gone)
            return Layout.of((int(row[0]), int(row[1]), self._place(row[2], node)) for row in rows)
        raise Unavailable(f"no node of the cluster answers ({failure}); the call was not sent")

    def _candidates(self) -> list[Address]:
        nodes = [*self._nodes]
        random.shuffle(nodes)
        first = [self._answered] if self._answered else []
        return list(dict.fromkeys((*first, *nodes, *self._seeds)))

    def _place(self, node: Any, asked: Address) -> Address:
        # a node that does not know its own name is where it was asked
        host = str(node[0] or "")
        return self._data.at(asked.host if host in ("", "?") else host, int(node[1]))

    def _client(self, node: Address) -> Redis:
        client = self._clients.get(node)
        if client is None:
            client = self._clients[node] = administration(node, seconds=ANSWER_SECONDS)
            # the table as the server gives it: replicas and names as well
            client.set_response_callback("CLUSTER SLOTS", _as_it_comes)
        return client

    async def _forget(self, node: Address) -> None:
        if node == self._answered:
            self._answered = None
        client = self._clients.pop(node, None)
        if client is not None:
            await put_away(client)

    async def close(self) -> None:
        """Closes the connections to the nodes that were asked."""
        for node in list(self._clients):
            await self._forget(node)


class Sentinels:
    """The primary that the Sentinels agree on."""

    fixed = False

    def __init__(self, deployment: Deployment) -> None:
        self._service = deployment.service
        self._data = deployment.data
        one = deployment.asked[0]
        self._client = Sentinel(  # type: ignore[no-untyped-call]
            [(sentinel.host, sentinel.port) for sentinel in deployment.asked],
            sentinel_kwargs={
                **connection_options(one, ANSWER_SECONDS),
                "ssl": one.tls,
                "decode_responses": True,
            },
        )

    async def look(self) -> Layout:
        """Where the primary is now. Raises Unavailable."""
        try:
            host, port = await self._client.discover_master(self._service)
        except (RedisError, OSError, TimeoutError) as error:
            raise Unavailable(
                f"no Sentinel knows a primary of this name ({error}); the call was not sent"
            ) from error
        return Layout.single(self._data.at(str(host), int(port)))

    async def close(self) -> None:
        """Closes the connections to the Sentinels."""
        for client in self._client.sentinels:
            await put_away(client)


def _as_it_comes(response: Any, **kwargs: Any) -> Any:
    return response
