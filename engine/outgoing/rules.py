"""Rules that others answer: a function with its key, a webhook with a bearer token."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

import msgspec

from engine.bounded_json import BadJson, decode
from engine.outgoing.client import Answer, Client
from engine.outgoing.errors import OutgoingFailed, RuleFailed
from engine.outgoing.oauth import Grant, Tokens
from engine.outgoing.retrying import Retrying
from engine.outgoing.secret import Secret

_JSON = {"Content-Type": "application/json"}
_UNAUTHORIZED = 401


class FunctionRule(msgspec.Struct, frozen=True):
    """A function and its key: one of its own, or that of its app with the key's name as client id."""

    url: Secret
    function_key: Secret | None = None
    app_key: Secret | None = None
    client_id: str = ""


class WebhookRule(msgspec.Struct, frozen=True):
    """A webhook, and whom to ask for a token; without ``authorization`` it is called without one."""

    url: Secret
    authorization: Grant | None = None


Rule = FunctionRule | WebhookRule


class RuleCaller:
    """Calls rules. A call ends within ``total_seconds``, waiting, tokens and retries included.

    So whoever leases work for the time of a call leases it for a little longer than that.
    """

    def __init__(self, client: Retrying, tokens: Tokens, total_seconds: float) -> None:
        self.total_seconds = total_seconds
        self._client = client
        self._tokens = tokens

    async def call(self, rule: Rule, payload: bytes) -> Any:
        """The JSON value that a rule answers to a JSON payload.

        Raises RuleFailed, EndpointBusy when it was not its turn: then a later call may succeed.
        """
        name = "function" if isinstance(rule, FunctionRule) else "webhook"
        failure: RuleFailed
        try:
            async with asyncio.timeout(self.total_seconds):
                answer = await self._answer(rule, payload)
            if answer.status == 200:
                return decode(answer.body)
            failure = RuleFailed(f"the {name} answers with status {answer.status}")
        except TimeoutError:
            failure = RuleFailed(f"the {name} has given no value within {self.total_seconds:g} s in all")
        except OutgoingFailed as error:
            failure = RuleFailed(f"the {name} cannot be called: {error.reason}")
        except BadJson as error:
            failure = RuleFailed(f"the answer of the {name} {error}")
        raise failure

    async def _answer(self, rule: Rule, payload: bytes) -> Answer:
        if isinstance(rule, FunctionRule):
            return await self._client.post(rule.url.reveal(), payload, {**_JSON, **_key_headers(rule)})
        if rule.authorization is None:
            return await self._client.post(rule.url.reveal(), payload, _JSON)
        answer, token = await self._with_token(rule, rule.authorization, payload)
        if answer.status == _UNAUTHORIZED:
            self._tokens.drop(rule.authorization, token)
            answer, _ = await self._with_token(rule, rule.authorization, payload)
        return answer

    async def _with_token(self, rule: WebhookRule, grant: Grant, payload: bytes) -> tuple[Answer, Secret]:
        token = await self._token(grant)
        headers = {**_JSON, "Authorization": f"Bearer {token.reveal()}"}
        return await self._client.post(rule.url.reveal(), payload, headers), token

    async def _token(self, grant: Grant) -> Secret:
        failure: OutgoingFailed
        try:
            return await self._tokens.token(grant)
        except OutgoingFailed as error:
            failure = OutgoingFailed(f"no token from the authorization server: {error.reason}")
        raise failure


@contextlib.asynccontextmanager
async def rule_caller(
    client: Client, *, retries: int = 1, pause_seconds: float = 0.1, total_seconds: float = 60.0
) -> AsyncIterator[RuleCaller]:
    """A caller over a client; at its end no token is asked for any more."""
    retrying = Retrying(client, retries, pause_seconds)
    tokens = Tokens(retrying)
    try:
        yield RuleCaller(retrying, tokens, total_seconds)
    finally:
        await tokens.close()


def _key_headers(rule: FunctionRule) -> dict[str, str]:
    """As Azure Functions takes keys; a key of the function's own goes before that of its app."""
    if rule.function_key:
        return {"x-functions-key": rule.function_key.reveal()}
    if not rule.app_key:
        return {}
    headers = {"x-functions-key": rule.app_key.reveal()}
    return {**headers, "x-functions-clientid": rule.client_id} if rule.client_id else headers
