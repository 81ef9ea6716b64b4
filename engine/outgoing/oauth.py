"""Bearer tokens by OAuth 2.0 client credentials (RFC 6749, 4.4), kept while they last."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

import msgspec

from engine.bounded_json import BadJson, decode
from engine.outgoing.errors import OutgoingFailed
from engine.outgoing.retrying import Retrying
from engine.outgoing.secret import Secret

_FORM = {"Content-Type": "application/x-www-form-urlencoded"}
_MARGIN_SECONDS = 60.0
_DEFAULT_SECONDS = 300.0
_MOST_KEPT = 1_000


class Grant(msgspec.Struct, frozen=True):
    """Whom to ask for tokens, and as who."""

    url: Secret
    client_id: str
    client_secret: Secret


class _Kept(msgspec.Struct, frozen=True):
    token: Secret
    until: float


class Tokens:
    """The tokens of all clients. Each is asked for once, however many wait for it; ``now`` is in seconds."""

    def __init__(self, client: Retrying, now: Callable[[], float] = time.monotonic) -> None:
        self._client = client
        self._now = now
        self._kept: dict[Grant, _Kept] = {}
        self._asking: dict[Grant, asyncio.Task[Secret]] = {}

    async def token(self, grant: Grant) -> Secret:
        """A token that is good for a while. Raises OutgoingFailed, EndpointBusy."""
        kept = self._kept.get(grant)
        if kept and self._now() < kept.until:
            return kept.token
        asking = self._asking.get(grant)
        if asking is None:
            asking = asyncio.get_running_loop().create_task(self._ask(grant))
            self._asking[grant] = asking
            asking.add_done_callback(lambda task: self._asked(grant, task))
        # a caller that goes away does not take the token from the others
        return await asyncio.shield(asking)

    def drop(self, grant: Grant, token: Secret) -> None:
        """Forgets a token that was not accepted, unless it has been replaced since."""
        kept = self._kept.get(grant)
        if kept and kept.token == token:
            del self._kept[grant]

    async def close(self) -> None:
        """Ends what is under way."""
        asking = list(self._asking.values())
        for task in asking:
            task.cancel()
        await asyncio.gather(*asking, return_exceptions=True)

    def _asked(self, grant: Grant, task: asyncio.Task[Secret]) -> None:
        del self._asking[grant]
        if not task.cancelled():
            task.exception()  # looked at, even if all callers have gone

    async def _ask(self, grant: Grant) -> Secret:
        form = urlencode(
            {
                "grant_type": "client_credentials",
                "client_id": grant.client_id,
                "client_secret": grant.client_secret.reveal(),
            }
        )
        asked = self._now()
        answer = await self._client.post(grant.url.reveal(), form.encode(), _FORM)
        if answer.status != 200:
            raise OutgoingFailed(f"status {answer.status}")
        token, seconds = _read(answer.body)
        self._kept.pop(grant, None)  # the newest stand last
        self._kept[grant] = _Kept(token, asked + seconds - min(_MARGIN_SECONDS, seconds / 2))
        if len(self._kept) > _MOST_KEPT:
            del self._kept[next(iter(self._kept))]
        return token


def _read(body: bytes) -> tuple[Secret, float]:
    """Token and life in seconds."""
    try:
        answer = decode(body)
    except BadJson as error:
        raise OutgoingFailed(f"the answer {error}") from None
    token = answer.get("access_token") if isinstance(answer, dict) else None
    if not (isinstance(token, str) and token and token.isascii() and token.isprintable()):
        raise OutgoingFailed("the answer has no access_token")
    if str(answer.get("token_type", "Bearer")).lower() != "bearer":
        raise OutgoingFailed("the token is not a bearer token")
    return Secret(token), _seconds(answer.get("expires_in"))


def _seconds(value: Any) -> float:
    """Some servers write the number as text; none at all is a short life."""
    try:
        return max(0.0, float(value))
    except (TypeError, ValueError, OverflowError):
        return _DEFAULT_SECONDS
