"""Clients of two API replicas: signed requests, sent again with their id where the answer does not come."""

from __future__ import annotations

import asyncio
import itertools
import json
import random
import time
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from api.wire import jobs, workers
from engine import commands as c
from engine.model import JobRecord, WorkerRecord
from engine.store import Store
from tests.chaos.wire import LOST, Answer, Wire
from tests.histories.book import Call
from tests.histories.clients import History, Lose
from tests.twin.texts import iso

LOST_SHARE = 0.03
"""Requests whose answer does not reach the client, or not the API."""
RETRY_SECONDS = 0.02
MOST_SENT = 500
ROUTING = "/routing"
Request = tuple[str, str, Any]


@dataclass(slots=True)
class Asked(Call):
    """A request, perhaps sent several times; its tag is its id. ``answer`` is the last one, if any came."""

    answer: Answer | None = None
    sent: int = 0

    @property
    def op(self) -> int:
        """The number of its change."""
        return int(self.answer.headers.get("x-jobrouter-op", 0)) if self.answer else 0


def request(command: c.Command) -> Request | None:
    """A command as a request: method, path, body; None for what clients of this kind do not ask."""
    match command:
        case c.JobCreate():
            body = jobs.current(JobRecord(**_fields(command, JobRecord)))
            wanted = ("channelId", "queueId", "classificationPolicyId", "priority", "channelReference")
            wanted += ("requestedWorkerSelectors", "labels", "tags", "matchingMode")
            return "PATCH", _job(command.id), {name: body[name] for name in wanted if body[name]}
        case c.JobUpdate():
            body = jobs.current(JobRecord(**_fields(command, JobRecord)))
            return "PATCH", _job(command.id), {name: body[name] for name in ("priority", "labels")}
        case c.WorkerUpsert():
            body = workers.current(WorkerRecord(**_fields(command, WorkerRecord)))
            return "PATCH", _worker(command.id), body
        case c.JobRead():
            return "GET", _job(command.id), None
        case c.WorkerRead():
            return "GET", _worker(command.id), None
        case c.JobDelete():
            return "DELETE", _job(command.id), None
        case c.WorkerDelete():
            return "DELETE", _worker(command.id), None
    return _action(command)


def _action(command: c.Command) -> Request | None:
    match command:
        case c.OfferAccept():
            return "POST", f"{_worker(command.worker)}/offers/{command.offer}:accept", None
        case c.OfferDecline():
            retry = {"retryOfferAt": iso(command.retry_at)} if command.retry_at else {}
            return "POST", f"{_worker(command.worker)}/offers/{command.offer}:decline", retry
        case c.AssignmentComplete():
            return "POST", f"{_assignment(command)}:complete", _note(command)
        case c.AssignmentClose():
            close = {"closeAt": iso(command.close_at)} if command.close_at else {}
            return "POST", f"{_assignment(command)}:close", _note(command) | close
        case c.AssignmentUnassign():
            suspend = {"suspendMatching": command.suspend}
            return "POST", f"{_assignment(command)}:unassign", suspend
        case c.JobCancel():
            return "POST", f"{_job(command.id)}:cancel", _note(command)
        case c.JobReclassify():
            return "POST", f"{_job(command.id)}:reclassify", None
    return None


def _fields(command: c.Command, record: type[Any]) -> dict[str, Any]:
    names = set(record.__struct_fields__) & set(command.__struct_fields__)
    return {name: getattr(command, name) for name in names}


def _job(job_id: str) -> str:
    return f"{ROUTING}/jobs/{quote(job_id, safe='')}"


def _worker(worker_id: str) -> str:
    return f"{ROUTING}/workers/{quote(worker_id, safe='')}"


def _assignment(command: Any) -> str:
    return f"{_job(command.job)}/assignments/{quote(command.assignment or 'none', safe='')}"


def _note(command: Any) -> dict[str, Any]:
    options = {"note": json.loads(command.note)} if command.note else {}
    code = getattr(command, "disposition", "")
    return options | ({"dispositionCode": code} if code else {})


class HttpHistory(History):
    """A history whose jobs, workers, offers and assignments are asked for over HTTP, the rest directly."""

    def __init__(
        self,
        tenant: str,
        seed: int,
        operations: int,
        stores: Sequence[Store],
        ports: Sequence[int],
        key: bytes,
        lose: Lose,
    ) -> None:
        super().__init__(tenant, seed, operations, stores)
        self._lose_in_store = lose
        self._make: Callable[[int], Wire] = lambda turn: Wire(ports[turn % len(ports)], key)
        self._turn = itertools.count()
        self._free: list[Wire] = []
        self._random = random.Random(seed)

    async def run(self, clients: int) -> None:
        """As without HTTP; the workers are processes of their own."""
        for step in self._maker.start():
            await self._step(self._stores[0], step)
            # from the first recorded call on, the log knows when it was swept
            await self._call(self._stores[0], c.AgendaDue())
        async with asyncio.TaskGroup() as group:
            for number in range(clients):
                group.create_task(self._client(number))
        for wire in self._free:
            await wire.closed()

    async def _call(self, store: Store, command: c.Command, loses: bool = False) -> None:
        wanted = request(command)
        if wanted is None:
            await super()._call(store, command)
            return
        self._left -= 1
        call = Asked(str(uuid.UUID(int=self._random.getrandbits(128))), command, time.monotonic())
        self.calls.append(call)
        while call.answer is None or call.answer.status == 503:
            if call.sent == MOST_SENT:
                raise TimeoutError(f"{command} is not answered: {call.answer}")
            await self._send(call, wanted)
        call.completed = time.monotonic()
        await self._learn(store, call)

    async def _send(self, call: Asked, wanted: Request) -> None:
        """Sends it once more; some answers are lost."""
        method, path, body = wanted
        wire = self._free.pop() if self._free else self._make(next(self._turn))
        call.sent += 1
        chance = self._random.random()
        if chance < LOST_SHARE / 2 and method != "GET":
            self._lose_in_store(call.tag)
        try:
            asking = asyncio.create_task(wire.ask(method, path, body, call.tag))
            if LOST_SHARE / 2 < chance < LOST_SHARE:
                # the client goes away
                await asyncio.wait([asking], timeout=self._random.random() * 0.005)
                asking.cancel()
            call.answer = await asking
        except LOST:
            await asyncio.sleep(RETRY_SECONDS)
        except asyncio.CancelledError:
            if not asking.cancelled():
                raise
        finally:
            # the other replica next
            self._free.insert(0, wire)

    async def _learn(self, store: Store, call: Asked) -> None:
        """What the client knows then."""
        assert call.answer is not None
        if call.answer.status == 404:
            self._known.missing(call.command)
        if call.answer.status >= 300 or call.answer.status == 204:
            return
        given, command = call.answer.json(), call.command
        match command:
            case c.OfferAccept():
                reply = {"job": given["jobId"], "worker": given["workerId"]}
                self._known.answered(command, {**reply, "assignment": given["assignmentId"]})
            case c.AssignmentComplete() | c.AssignmentClose() | c.JobCancel():
                self._known.answered(command, {})
            case c.JobCreate() | c.JobUpdate() | c.JobRead():
                assigned = list(given["assignments"])
                reply = {"status": given["status"], "doc": 1, "queue": given.get("queueId", "")}
                reply |= {"assignment": assigned[-1] if assigned else "", "channel": given["channelId"]}
                self._known.answered(command, reply)
            case c.WorkerUpsert() | c.WorkerRead():
                self._known.answered(command, {"doc": 1})
