"""Webhooks over HTTP all the way: a receiver of each schema gets a job's events; dead letters return."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest
from azure.core.messaging import CloudEvent
from azure.eventgrid import EventGridEvent
from cloudevents.core.bindings.http import HTTPMessage, from_http_event
from standardwebhooks.webhooks import Webhook

from tests import support
from tests.outgoing.endpoint import Endpoint, Request, endpoint, ok, run, status
from tests.runtime.test_worker import PATIENCE_SECONDS
from tests.signed import Caller


class Receiver(Endpoint):
    """Agrees to either handshake; answers notifications with its statuses in turn, the last for ever."""

    statuses = (200,)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        async def reply(writer: asyncio.StreamWriter) -> None:
            request = self.requests[-1]
            if request.method == "OPTIONS":
                answer = status(200, f"WebHook-Allowed-Origin: {request.headers['webhook-request-origin']}")
            elif request.headers["aeg-event-type"] == "SubscriptionValidation":
                code = json.loads(request.body)[0]["data"]["validationCode"]
                answer = ok({"validationResponse": code})
            else:
                count = len(self.notifications)
                answer = status(self.statuses[min(count, len(self.statuses)) - 1])
            writer.write(answer)
            await writer.drain()

        self._replies = [reply]
        await super().serve(reader, writer)

    @property
    def notifications(self) -> list[Request]:
        return [one for one in self.requests if one.headers.get("aeg-event-type") == "Notification"]

    async def gets(self, count: int) -> list[Request]:
        """Its notifications as soon as there are so many."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            while len(self.notifications) < count:
                await asyncio.sleep(0.005)
        return self.notifications


@pytest.fixture
def receives(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.outgoing.endpoint.Endpoint", Receiver)


@pytest.fixture
def call(served: support.Served) -> Iterator[Caller]:
    with closing(Caller(served.url, served.key)) as it:
        yield it


async def ask(call: Caller, method: str, path: str, body: Any = None) -> Any:
    code, answer = await asyncio.to_thread(call, method, path, body)
    assert code < 300, answer
    return answer


async def subscribe(call: Caller, name: str, one: Endpoint, queue: str, **more: Any) -> str:
    """A subscription to a queue's events that is enabled; gives its secret."""
    path = f"/ext/v1/subscriptions/{name}"
    body = {"destination": {"endpointUrl": f"{one.url}/hook"}, "filters": {"queueIds": [queue]}, **more}
    [secret] = (await ask(call, "PATCH", path, body))["signingSecrets"]
    async with asyncio.timeout(PATIENCE_SECONDS):
        while (await ask(call, "GET", path))["status"] != "enabled":
            await asyncio.sleep(0.005)
    return str(secret)


async def queue_up(call: Caller, name: str) -> None:
    """A queue of this name, and a job that is received, queued and cancelled."""
    mode = {"kind": "longestIdle"}
    policy = {"offerExpiresAfterSeconds": 60, "mode": mode}
    await ask(call, "PATCH", f"/routing/distributionPolicies/{name}", policy)
    await ask(call, "PATCH", f"/routing/queues/{name}", {"distributionPolicyId": name})


async def live(call: Caller, name: str) -> None:
    job = {"queueId": name, "channelId": "voice ä"}
    await ask(call, "PATCH", f"/routing/jobs/{name}", job)
    await ask(call, "POST", f"/routing/jobs/{name}:cancel", {})


KINDS = ["RouterJobReceived", "RouterJobQueued", "RouterJobCancelled"]


def read(schema: str, request: Request) -> tuple[str, dict[str, Any]]:
    """Type and data of an event, by the official parser of its schema."""
    if schema == "eventGrid":
        [raw] = json.loads(request.body)
        event = EventGridEvent.from_json(json.dumps(raw))
        return event.event_type, event.data  # type: ignore[return-value]
    if schema == "cloudEventsStructured":
        parsed = CloudEvent.from_json(request.body)  # type: ignore[arg-type]
        return parsed.type, parsed.data  # type: ignore[return-value]
    kind = {**request.headers, "content-type": "application/json"}
    told = from_http_event(HTTPMessage(headers=kind, body=request.body))
    return told.get_type(), told.get_data()  # type: ignore[return-value]


@pytest.mark.usefixtures("receives")
@pytest.mark.parametrize("schema", ["eventGrid", "cloudEventsStructured", "cloudEventsBinary"])
def test_a_receiver_gets_the_events_of_a_job_in_order(call: Caller, tenant: str, schema: str) -> None:
    async def work() -> None:
        async with endpoint() as one:
            assert isinstance(one, Receiver)
            await queue_up(call, tenant)
            secret = await subscribe(call, tenant, one, tenant, schema=schema)
            await live(call, tenant)
            got = await one.gets(3)
            told = [read(schema, request) for request in got]
            assert [kind.removeprefix("Microsoft.Communication.") for kind, _ in told] == KINDS
            assert {data["jobId"] for _, data in told} == {tenant}
            assert {data["channelId"] for _, data in told} == {"voice ä"}
            for request in got:
                assert Webhook(secret).verify(request.body, request.headers)
                assert request.headers["aeg-subscription-name"] == tenant.upper()
                assert request.headers["aeg-delivery-count"] == "0"
            await ask(call, "DELETE", f"/ext/v1/subscriptions/{tenant}")

    run(work())


@pytest.mark.usefixtures("receives")
def test_a_dead_letter_returns(call: Caller, tenant: str) -> None:
    async def work() -> None:
        async with endpoint() as one:
            assert isinstance(one, Receiver)
            one.statuses = (400, 200)
            await queue_up(call, tenant)
            await subscribe(call, tenant, one, tenant)
            await live(call, tenant)
            await one.gets(3)
            path = f"/ext/v1/subscriptions/{tenant}"
            async with asyncio.timeout(PATIENCE_SECONDS):
                while not (letters := (await ask(call, "GET", f"{path}/deadLetters"))["value"]):
                    await asyncio.sleep(0.005)
            event = letters[0]["event"]
            assert event["eventType"] == "Microsoft.Communication.RouterJobReceived"
            assert event["deadLetterReason"] == "UndeliverableDueToClientError"
            assert (event["lastDeliveryOutcome"], event["deliveryAttempts"]) == ("BadRequest", 1)
            replayed = await ask(call, "POST", f"{path}:replay", {"ids": [letters[0]["id"]]})
            assert replayed == {"replayedCount": 1}
            again = (await one.gets(4))[3]
            assert json.loads(again.body)[0]["id"] == event["id"]
            await ask(call, "DELETE", path)

    run(work())
