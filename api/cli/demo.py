"""``jobrouter demo``: a small contact centre through the official client, over TLS, on its own server."""

from __future__ import annotations

import asyncio
import itertools
import tempfile
import time
from collections.abc import Awaitable, Callable
from typing import Any

from azure.communication.jobrouter import models
from azure.communication.jobrouter.aio import JobRouterAdministrationClient, JobRouterClient
from azure.core.exceptions import AzureError

from api.cli.plain import plain_line
from api.cli.serve import run_until_told, viewing
from api.options import Options, parse
from api.serving.router import Router
from api.serving.runtime import whole_router
from engine.inspection import problems

PATIENCE_SECONDS = 10.0
OFFER_SECONDS = 2
_SERVE = ("serve", "--port", "0", "--tls-port", "0", "--show-keys")
_LOOK_SECONDS = 0.02


class Wrong(Exception):
    """The router did not do what it should have done."""


def run(options: Options) -> int:
    """Plays the scenes once, or for ever. Gives 0 when all went well."""

    async def work() -> int:
        with tempfile.TemporaryDirectory(prefix="jobrouter-demo-") as folder:
            # its own everything: what the environment says is for real routers
            serve = parse([*_SERVE, "--data-dir", folder], {})
            async with whole_router(serve) as router:
                print(f"a router of its own at {router.endpoint('main', secure=True)}", flush=True)
                print("\n".join(viewing(router, "main")), flush=True)
                return await _play(router, options.forever)

    return run_until_told(work)


async def _play(router: Router, forever: bool) -> int:
    assert router.tls is not None
    trust: dict[str, Any] = {"connection_verify": str(router.tls.ca)}
    text = router.connection_string("main")
    administration = JobRouterAdministrationClient.from_connection_string(text, **trust)
    client = JobRouterClient.from_connection_string(text, **trust)
    async with administration, client:
        await _set_up(administration)
        for number in itertools.count(1):
            started = time.monotonic()
            try:
                await Centre(client, number).play()
                await _check(router)
            except (Wrong, AzureError) as error:
                print(f"WRONG: {plain_line(str(error))}", flush=True)
                return 1
            print(f"all as it should be, {time.monotonic() - started:.1f} s", flush=True)
            if not forever:
                break
    return 0


async def _set_up(client: JobRouterAdministrationClient) -> None:
    for name, mode in (("longest-idle", models.LongestIdleMode()), ("best-worker", models.BestWorkerMode())):
        await client.upsert_distribution_policy(
            name, models.DistributionPolicy(offer_expires_after_seconds=OFFER_SECONDS, mode=mode)
        )
        _say(f"distribution policy '{name}': offers last {OFFER_SECONDS} s")
    for queue, policy in (("support", "longest-idle"), ("sales", "best-worker")):
        await client.upsert_queue(queue, models.RouterQueue(name=queue, distribution_policy_id=policy))
        _say(f"queue '{queue}' with '{policy}'")


async def _check(router: Router) -> None:
    async for _, found in problems(router.settings.redis_url, "main"):
        if found:
            raise Wrong("; ".join(found))
    _say("every invariant holds in the store")


class Centre:
    """One round of the contact centre: three agents, some callers."""

    def __init__(self, client: JobRouterClient, number: int) -> None:
        self._client = client
        self._number = number

    async def play(self) -> None:
        """All scenes, in order. Raises Wrong."""
        await self._agent("ann", ["support", "sales"], {"language": "en", "level": 9})
        await self._agent("bob", ["support"], {"language": "en", "level": 3})
        await self._agent("eva", ["support"], {"language": "fr", "level": 5})
        await self._plain_call()
        await self._skilled_call()
        await self._urgent_call_first()
        await self._offer_that_expires()
        await self._offer_that_is_declined()
        await self._call_that_is_given_back()
        for agent in ("ann", "bob", "eva"):
            await self._sign_off(agent)

    # ---- scenes

    async def _plain_call(self) -> None:
        job = await self._call("plain", "support")
        # of agents with nothing to do, the one that waits for longest is asked
        await self._serve(job, await self._asked(job, {"ann"}))

    async def _skilled_call(self) -> None:
        french = models.RouterWorkerSelector(key="language", label_operator="equal", value="fr")
        job = await self._call("french", "support", selectors=[french])
        await self._serve(job, await self._asked(job, {"eva"}))

    async def _urgent_call_first(self) -> None:
        job = await self._call("busy", "sales")
        await self._asked(job, {"ann"})
        await self._accept(job, "ann")
        usual = await self._call("usual", "sales", priority=1)
        urgent = await self._call("urgent", "sales", priority=50)
        await self._position(urgent, 1)
        await self._position(usual, 2)
        await self._finish(job)
        await self._serve(urgent, await self._asked(urgent, {"ann"}))
        await self._serve(usual, await self._asked(usual, {"ann"}))

    async def _offer_that_expires(self) -> None:
        job = await self._call("ignored", "sales")
        await self._asked(job, {"ann"})
        first = await self._offer(job, "ann")
        _say(f"  ann does not answer for {OFFER_SECONDS} s")
        await self._until(lambda: self._is_new_or_gone(job, "ann", first), f"the offer of {job} expires")
        _say("  the offer has expired and ann is signed off")
        await self._agent("ann", ["support", "sales"], {"language": "en", "level": 9})
        await self._serve(job, await self._asked(job, {"ann"}))

    async def _offer_that_is_declined(self) -> None:
        job = await self._call("declined", "support")
        asked = await self._asked(job, {"ann", "bob", "eva"})
        await self._client.decline_job_offer(asked, await self._offer(job, asked))
        _say(f"  {asked} declines")
        await self._serve(job, await self._asked(job, {"ann", "bob", "eva"} - {asked}))

    async def _call_that_is_given_back(self) -> None:
        job = await self._call("given-back", "sales")
        await self._asked(job, {"ann"})
        assignment = await self._accept(job, "ann")
        await self._client.unassign_job(job, assignment)
        _say("  ann gives the call back, and is asked again")
        await self._asked(job, {"ann"})
        await self._client.cancel_job(job, models.CancelJobOptions(disposition_code="hung up"))
        await self._status(job, "cancelled")

    # ---- what agents and callers do

    async def _agent(self, name: str, queues: list[str], labels: dict[str, Any]) -> None:
        channel = models.RouterChannel(channel_id="voice", capacity_cost_per_job=100)
        await self._client.upsert_worker(
            name,
            models.RouterWorker(
                capacity=100, queues=queues, channels=[channel], labels=labels, available_for_offers=True
            ),
        )
        _say(f"agent {name} signs on for {' and '.join(queues)}")

    async def _call(
        self,
        name: str,
        queue: str,
        *,
        priority: int = 1,
        selectors: list[models.RouterWorkerSelector] | None = None,
    ) -> str:
        job = f"{name}-{self._number}"
        await self._client.upsert_job(
            job,
            models.RouterJob(
                channel_id="voice",
                queue_id=queue,
                priority=priority,
                requested_worker_selectors=selectors or [],
            ),
        )
        _say(f"call '{job}' for {queue}, priority {priority}")
        return job

    async def _asked(self, job: str, agents: set[str]) -> str:
        """The agent that has an offer of the job; it must be one of those."""
        found: list[str] = []

        async def look() -> bool:
            for agent in ("ann", "bob", "eva"):
                if await self._offer(job, agent):
                    found.append(agent)
            return bool(found)

        await self._until(look, f"someone is asked for {job}")
        if len(found) != 1 or found[0] not in agents:
            raise Wrong(f"{' and '.join(found)} asked for {job}, not one of {' '.join(sorted(agents))}")
        _say(f"  offered to {found[0]}")
        return found[0]

    async def _offer(self, job: str, agent: str) -> str:
        worker = await self._client.get_worker(agent)
        return next((str(offer.offer_id) for offer in worker.offers or [] if offer.job_id == job), "")

    async def _is_new_or_gone(self, job: str, agent: str, offer: str) -> bool:
        return await self._offer(job, agent) != offer

    async def _accept(self, job: str, agent: str) -> str:
        accepted = await self._client.accept_job_offer(agent, await self._offer(job, agent))
        if accepted.job_id != job or accepted.worker_id != agent:
            raise Wrong(f"the acceptance of {job} by {agent} names {accepted.job_id}, {accepted.worker_id}")
        _say(f"  {agent} accepts")
        await self._status(job, "assigned")
        return str(accepted.assignment_id)

    async def _serve(self, job: str, agent: str) -> None:
        await self._accept(job, agent)
        await self._finish(job)

    async def _finish(self, job: str) -> None:
        (assignment,) = ((await self._client.get_job(job)).assignments or {}).keys()
        await self._client.complete_job(job, assignment)
        await self._status(job, "completed")
        await self._client.close_job(job, assignment, models.CloseJobOptions(disposition_code="resolved"))
        await self._status(job, "closed")
        _say("  completed and closed")

    async def _sign_off(self, name: str) -> None:
        await self._client.upsert_worker(name, models.RouterWorker(available_for_offers=False))

        async def inactive() -> bool:
            return str((await self._client.get_worker(name)).state) == "inactive"

        await self._until(inactive, f"{name} is signed off")
        _say(f"agent {name} signs off")

    # ---- what must be so

    async def _status(self, job: str, status: str) -> None:
        found = str((await self._client.get_job(job)).status)
        if found != status:
            raise Wrong(f"{job} is {found}, not {status}")

    async def _position(self, job: str, position: int) -> None:
        found = (await self._client.get_queue_position(job)).position
        if found != position:
            raise Wrong(f"{job} is at position {found}, not {position}")
        _say(f"  '{job}' is number {position} in the queue")

    async def _until(self, condition: Callable[[], Awaitable[bool]], what: str) -> None:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not await condition():
            if time.monotonic() > deadline:
                raise Wrong(f"{what}: not within {PATIENCE_SECONDS:.0f} s")
            await asyncio.sleep(_LOOK_SECONDS)


def _say(text: str) -> None:
    print(text, flush=True)
