"""Tries again what may succeed a second time."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from engine.outgoing.client import Answer, Client
from engine.outgoing.errors import OutgoingFailed

_TOO_MANY_REQUESTS = 429


class Retrying:
    """A client whose calls are made up to ``retries`` times more, ``pause_seconds`` after the failure."""

    def __init__(self, client: Client, retries: int, pause_seconds: float) -> None:
        self._client = client
        self._retries = retries
        self._pause_seconds = pause_seconds

    async def post(self, url: str, body: bytes, headers: Mapping[str, str]) -> Answer:
        """As Client.post; tries again after a lost connection, a timeout, 429 or 5xx; the last try counts."""
        for _ in range(self._retries):
            try:
                answer = await self._client.post(url, body, headers)
                if answer.status != _TOO_MANY_REQUESTS and answer.status < 500:
                    return answer
            except OutgoingFailed as error:
                if not error.again:
                    raise
            await asyncio.sleep(self._pause_seconds)
        return await self._client.post(url, body, headers)
