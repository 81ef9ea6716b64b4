"""How late offers expire: 1,000 of them due a second, beside 200,000 other keys that have a time to live.

The lag is the time from an offer's end to the moment at which somebody who reads the outbox learns of it.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import random
import time
from collections.abc import Iterator

import uvloop

from api.serving.runtime import worker_of
from bench.client import batches
from bench.entities import CHANNEL, QUEUE, job, queue, worker
from bench.rounds import Plan
from bench.site import EXPIRED, Offer, Site, offers_in, site
from engine.commands import JobCreate, PolicyUpsert
from engine.model import Selector, json_text
from engine.settings import Settings, Tenant
from engine.store import Store

OTHER_KEYS = 200_000
A_SECOND = 1_000
SECONDS = 5
BURST = 10
EXPIRES_MS = 8_000
PATIENCE_SECONDS = 30.0


def lag_p99_ms(plan: Plan) -> float:
    """The lag that one offer in a hundred exceeds."""
    found = lags(plan)
    return found[int(len(found) * 0.99)]


def lags(plan: Plan) -> list[float]:
    """The lags of all offers, in milliseconds, ascending."""
    with site(plan.program, plan.server_cpu) as here:
        total = A_SECOND * (1 if plan.quick else SECONDS)
        _others(here, plan.scale(OTHER_KEYS))
        here.build(
            [PolicyUpsert("distribution", "brief", mode="longestIdle", expires_ms=EXPIRES_MS, document="{}")]
        )
        here.build([queue(distribution="brief")])
        here.build(worker(number, {}) for number in range(total))
        with _worker(here.url):
            before = here.op()
            _offer_steadily(here, total)
            offers = here.offers_since(before)
            return sorted(_ends(here, before, {offer.offer_id: offer for offer in offers}))


def _others(here: Site, count: int) -> None:
    """Keys that have nothing to do with the router and live for hours."""
    for start in range(0, count, 10_000):
        numbers = range(start, min(start + 10_000, count))
        here.client.run(
            batches((("SET", f"other:{n}", n, "EX", random.randint(3600, 7200)) for n in numbers), 64)
        )


def _for_worker(number: int) -> JobCreate:
    """A job that one worker only may get: an offer that ends signs its worker off, and nobody follows."""
    return job(number, [Selector("Id", "=", json_text(f"worker-{number}"))], queue=QUEUE, channel=CHANNEL)


def _offer_steadily(here: Site, total: int) -> None:
    """Makes an offer a millisecond, in small bursts."""
    started = time.monotonic()
    for first in range(0, total, BURST):
        here.client.run(here.packed(_for_worker(number) for number in range(first, first + BURST)))
        time.sleep(max(0.0, started + (first + BURST) / A_SECOND - time.monotonic()))


def _ends(here: Site, op: int, open_offers: dict[str, Offer]) -> Iterator[float]:
    """Reads the outbox until every offer has ended; yields the lag of each."""
    last, deadline = f"{op}-0", time.monotonic() + PATIENCE_SECONDS
    while open_offers and time.monotonic() < deadline:
        reply = here.client.call("XREAD", "BLOCK", 1000, "STREAMS", f"{here.root}:events", last)
        now = time.time()
        entries = reply[0][1] if reply else []
        for offer in offers_in(entries, EXPIRED):
            due = open_offers.pop(offer.offer_id).expires_on
            assert due is not None
            yield (now - due.timestamp()) * 1000
        last = entries[-1][0] if entries else last
    if open_offers:
        raise RuntimeError(f"{len(open_offers)} offers have not ended")


@contextlib.contextmanager
def _worker(url: str) -> Iterator[None]:
    """The router's worker in a process of its own."""
    process = multiprocessing.get_context("spawn").Process(target=_work, args=(url,), daemon=True)
    process.start()
    try:
        yield
    finally:
        process.kill()
        process.join()


def _work(url: str) -> None:
    async def run() -> None:
        settings = Settings({"main": Tenant("main")}, url)
        await worker_of(await Store.open(url), settings).run()

    uvloop.run(run())
