"""Sends one event to the endpoint of a subscription, as the subscription wants it told."""

from __future__ import annotations

import time
from typing import NamedTuple

from engine.deliveries.outbox import Event
from engine.deliveries.tries import ARRIVED
from engine.outgoing.client import Client
from engine.outgoing.errors import EndpointBusy, OutgoingFailed
from engine.outgoing.secret import Secret
from engine.subscriptions.formats import Recipient, notification


class Outcome(NamedTuple):
    """What became of a try; ``status`` 0: there was no answer, ``late``: in time.

    ``text`` holds neither URL nor secret.
    """

    status: int
    text: str
    late: bool = False

    @property
    def arrived(self) -> bool:
        return self.status in ARRIVED


class Sender:
    """Sends to all endpoints through one guarded client; ``seconds`` is the longest that a try takes."""

    def __init__(self, client: Client, seconds: float) -> None:
        self.seconds = seconds
        self._client = client

    async def send(self, url: Secret, recipient: Recipient, event: Event, failed: int) -> Outcome:
        """One try, after so many that have failed."""
        message = notification(recipient, event.payload, failed, int(time.time()))
        try:
            status = await self._client.notify(url.reveal(), message.body, message.headers)
        except OutgoingFailed as error:
            return Outcome(0, error.reason, error.late)
        except EndpointBusy:
            return Outcome(0, "too many calls to the host")
        return Outcome(status, "" if status in ARRIVED else f"the endpoint answers with status {status}")


def now_ms() -> int:
    """Epoch ms."""
    return round(time.time() * 1000)
