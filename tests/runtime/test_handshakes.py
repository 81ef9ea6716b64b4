"""From a PATCH to consent, over HTTP all the way: the worker asks, the endpoint answers or calls back."""

from __future__ import annotations

import asyncio
import json
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest

from tests import support
from tests.outgoing.endpoint import Endpoint, endpoint, hang_up, ok, run, status
from tests.runtime.test_worker import PATIENCE_SECONDS
from tests.signed import Caller


class Hook:
    """A subscription of a served router."""

    def __init__(self, call: Caller, name: str) -> None:
        self.call = call
        self.path = f"/ext/v1/subscriptions/{name}"

    async def put(self, one: Endpoint, **more: Any) -> None:
        """Creates it, for an endpoint."""
        body = {"destination": {"endpointUrl": f"{one.url}/events?code=key"}, **more}
        code, _ = await asyncio.to_thread(self.call, "PATCH", self.path, body)
        assert code == 201

    async def reaches(self, wanted: str) -> dict[str, Any]:
        """It as soon as it has a status."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            while True:
                _, shown = await asyncio.to_thread(self.call, "GET", self.path)
                if shown["status"] == wanted:
                    found: dict[str, Any] = shown
                    return found
                await asyncio.sleep(0.005)


@pytest.fixture
def hook(served: support.Served, tenant: str) -> Iterator[Hook]:
    """A subscription that no other test has."""
    with closing(Caller(served.url, served.key)) as call:
        it = Hook(call, tenant)
        yield it
        call("DELETE", it.path)


async def asked(one: Endpoint) -> None:
    """Returns as soon as it has been asked."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not one.requests:
            await asyncio.sleep(0.005)


class Echo(Endpoint):
    """Repeats the code that it is sent, as handlers of Event Grid events do."""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        async def repeat(writer: asyncio.StreamWriter) -> None:
            code = json.loads(self.requests[-1].body)[0]["data"]["validationCode"]
            writer.write(ok({"validationResponse": code}))
            await writer.drain()

        self._replies = [repeat]
        await super().serve(reader, writer)


def test_event_grid_by_the_answer(hook: Hook, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.outgoing.endpoint.Endpoint", Echo)

    async def work() -> None:
        async with endpoint(ok(b"")) as one:
            await hook.put(one)
            await hook.reaches("enabled")
            # and perhaps an event of what other tests have left
            (request,) = (
                it for it in one.requests if it.headers["aeg-event-type"] == "SubscriptionValidation"
            )
            assert (request.method, request.path) == ("POST", "/events?code=key")
            assert request.headers["webhook-signature"].startswith("v1,")

    run(work())


def test_event_grid_by_hand(hook: Hook) -> None:
    async def work() -> None:
        async with endpoint(ok(b"thank you")) as one:
            await hook.put(one)
            await asked(one)
            url = json.loads(one.requests[0].body)[0]["data"]["validationUrl"]
            assert (await hook.reaches("validating"))["delivery"]
            assert await asyncio.to_thread(fetched, url) == 200
            await hook.reaches("enabled")
            assert await asyncio.to_thread(fetched, url) == 404

    run(work())


def fetched(url: str) -> int:
    """The status of a GET, without any key."""
    try:
        with urllib.request.urlopen(url) as response:
            return int(response.status)
    except urllib.error.HTTPError as error:
        with error:
            return error.code


def test_cloud_events(hook: Hook) -> None:
    async def work() -> None:
        async with endpoint(status(204, "WebHook-Allowed-Origin: *")) as one:
            await hook.put(one, schema="cloudEventsStructured")
            await hook.reaches("enabled")
            (request,) = (it for it in one.requests if it.method == "OPTIONS")
            assert request.path == "/events?code=key"
            assert request.headers["webhook-request-callback"].startswith(
                f"http://{hook.call.host}/validate/"
            )

    run(work())


def test_what_goes_wrong_is_shown(hook: Hook) -> None:
    async def work() -> None:
        async with endpoint(hang_up) as one:
            await hook.put(one)
            async with asyncio.timeout(PATIENCE_SECONDS):
                while "lastError" not in (shown := await hook.reaches("validating"))["delivery"]:
                    await asyncio.sleep(0.005)
            assert shown["delivery"]["lastError"] == "the connection was lost"

    run(work())
