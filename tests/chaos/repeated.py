"""Requests sent one to four times at once, with answers lost: each acts once.

Lives of workers and jobs, each apart from all others, so that what must happen is known: what happens when
the same life is led once, without faults, each request sent once. Copies go to several replicas; answers get
lost between store and API, and between API and client. A copy that is not answered, or with 503, is sent
again with the same ``x-ms-client-request-id``, as the official clients do. Some come again when the life has
gone on.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import tempfile
import time
import uuid
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import uvloop

from tests import support
from tests.chaos.figures import Figures
from tests.chaos.network import network
from tests.chaos.proofs import Options
from tests.chaos.site import KEY, site
from tests.chaos.soundness import unsound
from tests.chaos.wire import LOST, Answer, Wires
from tests.faults import verify
from tests.faults.traffic import VOICE
from tests.signed import Caller

REQUESTS, QUICK = 100_000, 400
REPLICAS = 3
COPIES = 4
AT_ONCE = 24
LOST_BY_STORE, LOST_BY_API = 0.01, 0.02
LATE = 0.1
"""The share of steps after which an earlier one comes once more."""

COPY_SECONDS = 60.0

MOVING = ("status", "enqueuedAt", "priority", "offers", "loadRatio", "etag")
"""What moves on as soon as a job or worker has changed: that is answered with how it was before."""

Step = tuple[str, str, str]
"""What has happened: kind of the event, which job, which worker."""


class Wrong(Exception):
    """Answers that do not agree with the contract."""


class Sent(NamedTuple):
    """A request, and what all its copies were answered."""

    method: str
    path: str
    body: Any
    request_id: str
    answer: Answer


class Sender:
    """Sends copies to replicas and sees that their answers agree."""

    def __init__(self, wires: Sequence[Wires], copies: int) -> None:
        self.requests = 0
        self.sent = 0
        self.unanswered = 0
        self.unknown = 0
        self.late: Counter[int] = Counter()
        self.wrong: list[str] = []
        self._wires = wires
        self._copies = copies

    async def send(
        self, chance: random.Random, method: str, path: str, body: Any = None, request_id: str = ""
    ) -> Sent:
        """A changing request, in one to four copies. Raises Wrong."""
        self.requests += 1
        request_id = request_id or str(uuid.UUID(int=chance.getrandbits(128)))
        copies = [
            self._copy(random.Random(chance.random()), method, path, body, request_id)
            for _ in range(chance.randint(1, self._copies))
        ]
        answers = await asyncio.gather(*copies)
        if not agree(method, answers):
            raise Wrong(f"{method} {path} {body}: {answers}")
        return Sent(method, path, body, request_id, answers[0])

    async def again(self, chance: random.Random, sent: Sent) -> None:
        """The same once more, late: it is known, or forgotten; it never acts. Raises Wrong."""
        answer = await self._copy(chance, sent.method, sent.path, sent.body, sent.request_id)
        self.late[answer.status] += 1
        if not is_known(sent, answer) and not (sent.method == "POST" and answer.status == 404):
            raise Wrong(f"late {sent.method} {sent.path}: {answer}; before: {sent.answer}")

    async def read(self, chance: random.Random, path: str) -> Any:
        """What a GET shows."""
        answer = await self._copy(chance, "GET", path, None, "")
        if answer.status != 200:
            raise Wrong(f"GET {path}: {answer}")
        return answer.json()

    async def _copy(
        self, chance: random.Random, method: str, path: str, body: Any, request_id: str
    ) -> Answer:
        """Asks until there is an answer."""
        deadline = time.monotonic() + COPY_SECONDS
        while time.monotonic() < deadline:
            self.sent += 1
            async with chance.choice(self._wires).one() as wire:
                try:
                    answer = await wire.ask(method, path, body, request_id)
                except LOST:
                    self.unanswered += 1
                else:
                    if answer.status != 503:
                        return answer
                    self.unknown += 1
                    if "retry-after" not in answer.headers:
                        raise Wrong(f"{method} {path}: 503 without Retry-After")
            await asyncio.sleep(chance.uniform(0.002, 0.02))
        raise Wrong(f"{method} {path}: no answer within {COPY_SECONDS:g} s")


def agree(method: str, answers: Sequence[Answer]) -> bool:
    """Are these the answers to one request?

    One of them at most tells of the moment at which it acted, and creates; the others, of what is there.
    """
    wanted = {"PATCH": {200, 201}, "POST": {200}, "DELETE": {204}}[method]
    if not {answer.status for answer in answers} <= wanted:
        return False
    counts = Counter((answer.status, answer.body, answer.headers.get("etag")) for answer in answers)
    if method != "PATCH":
        return len(counts) == 1
    acted = sum(status == 201 for status, _, _ in counts.elements())
    lasts = all(lasting(answer) == lasting(answers[0]) for answer in answers)
    return lasts and acted <= 1 and (len(counts) == 1 or (len(counts) == 2 and 1 in counts.values()))


def is_known(sent: Sent, answer: Answer) -> bool:
    """Is this the late answer to a request that had been answered before? A create shows the job as it is."""
    if answer.status != 200:
        return False
    if sent.method == "POST":
        return answer.body == sent.answer.body
    shown = answer.json()
    return all(shown[name] == value for name, value in sent.body.items())


def lasting(answer: Answer) -> dict[str, Any]:
    """What is shown of an entity, without what the router itself goes on with after the request."""
    return {name: value for name, value in answer.json().items() if name not in MOVING}


class Life:
    """One worker and its jobs, in a queue of their own."""

    def __init__(self, name: str, chance: random.Random, sender: Sender, late: float) -> None:
        self.name = name
        self._chance = chance
        self._sender = sender
        self._late = late
        self._done: list[Sent] = []

    async def lead(self, story: Callable[[Life], Awaitable[None]]) -> None:
        """The whole life: at its end nothing of it is left but its events."""
        queue, worker = f"queues/{self.name}", f"workers/{self.name}"
        await self.send("PATCH", queue, {"distributionPolicyId": "fair"})
        body = {"capacity": 1, "queues": [self.name], "channels": VOICE, "availableForOffers": True}
        await self.send("PATCH", worker, body)
        await story(self)
        await self.send("PATCH", worker, {"availableForOffers": False})
        await self.send("DELETE", worker)
        await self.send("DELETE", queue)

    async def send(self, method: str, path: str, body: Any = None, *, comes_again: bool = False) -> Any:
        """One step; now and then an action or a creation that was before comes again afterwards."""
        if method == "DELETE":
            # it would create anew what is gone
            self._done = [sent for sent in self._done if sent.method != "PATCH"]
        sent = await self._sender.send(self._chance, method, f"/routing/{path}", body)
        if self._done and self._chance.random() < self._late:
            await self._sender.again(self._chance, self._chance.choice(self._done))
        if method == "POST" or comes_again:
            self._done.append(sent)
        return sent.answer.json()

    async def create(self, *, changes: bool = False, **more: Any) -> str:
        """A job; its path. One whose labels change must not be created again: that would change them back."""
        job = f"jobs/{self.name}"
        body = {"channelId": "voice", "queueId": self.name, **more}
        await self.send("PATCH", job, body, comes_again=not changes)
        return job

    async def offer(self) -> str:
        """The path of the worker's only offer."""
        worker = await self._sender.read(self._chance, f"/routing/workers/{self.name}")
        (offer,) = worker["offers"]
        return f"workers/{self.name}/offers/{offer['offerId']}"

    async def accept(self) -> str:
        """Accepts the offer; the path of the assignment."""
        accepted = await self.send("POST", f"{await self.offer()}:accept")
        return f"jobs/{accepted['jobId']}/assignments/{accepted['assignmentId']}"

    async def finish(self, assignment: str) -> None:
        """Completes, closes and deletes."""
        await self.send("POST", f"{assignment}:complete", {"note": "done"})
        await self.send("POST", f"{assignment}:close", {"dispositionCode": "d"})
        await self.send("DELETE", f"jobs/{self.name}")


async def plain(life: Life) -> None:
    """Accept, complete, close, delete."""
    await life.create()
    await life.finish(await life.accept())


async def refused(life: Life) -> None:
    """Declined, offered again, declined for good, cancelled."""
    job = await life.create(priority=3)
    await life.send("POST", f"{await life.offer()}:decline", {"retryOfferAt": "2020-01-01T00:00:00Z"})
    await life.send("POST", f"{await life.offer()}:decline")
    await life.send("POST", f"{job}:cancel", {"note": "enough", "dispositionCode": "d"})
    await life.send("DELETE", job)


async def taken_away(life: Life) -> None:
    """Unassigned, and accepted again."""
    await life.create()
    assignment = await life.accept()
    await life.send("POST", f"{assignment}:unassign")
    await life.finish(await life.accept())


async def classified(life: Life) -> None:
    """Changed, reclassified, accepted."""
    job = await life.create(changes=True, classificationPolicyId="sorted", labels={"a": 1})
    await life.send("PATCH", job, {"tags": {"t": 1}})
    await life.send("PATCH", job, {"labels": {"a": 2}})
    await life.send("POST", f"{job}:reclassify")
    await life.send("PATCH", f"workers/{life.name}", {"labels": {"b": True}})
    await life.finish(await life.accept())


async def cancelled(life: Life) -> None:
    """Cancelled while it is offered."""
    job = await life.create()
    await life.send("PATCH", job, {"priority": 9})
    await life.send("POST", f"{job}:cancel")
    await life.send("DELETE", job)


STORIES = (plain, refused, taken_away, classified, cancelled)


def happened(call: Caller) -> dict[str, list[Step]]:
    """What has happened in each life, in its order."""
    steps: dict[str, list[Step]] = defaultdict(list)
    for event in verify.each_event(call):
        job, worker = event["data"].get("jobId", ""), event["data"].get("workerId", "")
        name = job or worker
        steps[name].append((verify.kind_of(event), job and "job", worker and "worker"))
    return steps


def left(call: Caller) -> list[str]:
    """What exists of jobs, workers and queues."""
    found = []
    for kind in ("jobs", "workers", "queues"):
        status, page = call("GET", f"/routing/{kind}?maxpagesize=5")
        assert status == 200, page
        found += [str(item) for item in page["value"]]
    return found


def prove(options: Options) -> Figures:
    """Runs it."""
    figures, begun = Figures(), time.monotonic()
    with contextlib.ExitStack() as stack:
        server = stack.enter_context(support.server(options.program))
        links = stack.enter_context(network(options.chance("losses")))
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="jr")))
        stores = [links.before(server.socket, folder / f"s{number}") for number in range(REPLICAS)]
        here = stack.enter_context(site([link.url for link in stores], [server.url]))
        fronts = [links.before(port) for port in here.ports]
        call = stack.enter_context(contextlib.closing(Caller(f"http://127.0.0.1:{here.ports[0]}", KEY)))
        make_policies(call)
        ports = [front.port for front in fronts]
        calm = uvloop.run(led_once(ports))
        wanted = [happened(call)[name] for name in calm]
        for link in stores:
            link.loss = LOST_BY_STORE
        for link in fronts:
            link.loss = LOST_BY_API
        sender, lives = uvloop.run(storm(ports, options))
        for link in links.links:
            link.loss = 0.0
        # the server has closed what was idle for so long
        call.close()
        steps = happened(call)
        figures.at_least("requests", sender.requests, options.times(REQUESTS, QUICK))
        figures.tell("copies and repetitions sent", sender.sent)
        figures.at_least("replies lost between store and API", sum(link.lost for link in stores), 1)
        figures.at_least("replies lost between API and client", sum(link.lost for link in fronts), 1)
        figures.tell("answers 503, outcome unknown", sender.unknown)
        figures.tell("late copies answered as before", sender.late[200])
        figures.tell("late copies answered 404, forgotten", sender.late[404])
        figures.tell("lives", len(lives))
        figures.tell("events", sum(map(len, steps.values())))
        figures.none("answers that contradict each other or the contract", sender.wrong)
        other = [
            f"{name} ({STORIES[story].__name__}): {steps[name]}"
            for name, story in lives.items()
            if steps[name] != wanted[story]
        ]
        figures.none("lives whose events are not those of single requests", other)
        figures.none("events of nobody", sorted(steps.keys() - lives.keys() - set(calm)))
        figures.none("things left", left(call))
        figures.none("parts that have ended", here.ended())
        figures.none("invariants violated", unsound(server.url, "main"))
    figures.tell("seconds", time.monotonic() - begun)
    return figures


@contextlib.asynccontextmanager
async def wires_to(ports: Sequence[int]) -> AsyncIterator[list[Wires]]:
    """Connections to all replicas, for the block."""
    async with contextlib.AsyncExitStack() as stack:
        yield [await stack.enter_async_context(Wires(port, support.KEY)) for port in ports]


def make_policies(call: Caller) -> None:
    """What all lives share."""
    policy = {"offerExpiresAfterSeconds": 3600, "mode": {"kind": "longestIdle"}}
    assert call("PATCH", "/routing/distributionPolicies/fair", policy)[0] == 201
    rule = {"prioritizationRule": {"kind": "static", "value": 5}}
    assert call("PATCH", "/routing/classificationPolicies/sorted", rule)[0] == 201


async def led_once(ports: Sequence[int]) -> list[str]:
    """Leads each story once, each request sent once; the names of these lives."""
    async with wires_to(ports) as wires:
        sender = Sender(wires, copies=1)
        names = [f"calm-{number}" for number in range(len(STORIES))]
        for name, story in zip(names, STORIES, strict=True):
            await Life(name, random.Random(name), sender, late=0).lead(story)
        assert not sender.wrong, sender.wrong
        return names


async def storm(ports: Sequence[int], options: Options) -> tuple[Sender, dict[str, int]]:
    """The lives under faults, as many as make enough requests; each one's story."""
    lives: dict[str, int] = {}
    async with wires_to(ports) as wires:
        sender = Sender(wires, COPIES)

        async def go_on() -> None:
            while sender.requests < options.times(REQUESTS, QUICK):
                name = f"life-{len(lives)}"
                chance = options.chance(name)
                lives[name] = chance.randrange(len(STORIES))
                try:
                    await Life(name, chance, sender, LATE).lead(STORIES[lives[name]])
                except Wrong as error:
                    sender.wrong.append(str(error))

        async with asyncio.TaskGroup() as group:
            for _ in range(AT_ONCE):
                group.create_task(go_on())
    return sender, lives
