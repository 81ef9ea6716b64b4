"""Whole lives of jobs over HTTP, in waves of one step each: every request is signed before it is timed."""

from __future__ import annotations

import itertools

import msgspec

from bench.entities import QUEUE, policy, queue, region_and_skill, worker
from bench.http import packed
from bench.interface.waves import Crowd, Wave, body_of
from bench.load import calls
from bench.load.calls import Call
from bench.site import Site

STEPS = (calls.CREATE, calls.ACCEPT, calls.COMPLETE, calls.CLOSE)


class _Assigned(msgspec.Struct, rename="camel"):
    assignment_id: str
    job_id: str


_assigned = msgspec.json.Decoder(_Assigned).decode


class Lives:
    """A router whose workers are always free: each create makes an offer, which is read from the outbox."""

    def __init__(self, here: Site, workers: int) -> None:
        self._site = here
        self._serial = itertools.count()
        here.build([policy(), queue()])
        here.build(worker(number, region_and_skill(number)) for number in range(workers))

    def run(self, crowd: Crowd, jobs: int) -> Wave:
        """So many lives, of four requests each; the time between the steps does not count."""
        site, before = self._site, self._site.op()
        numbers = list(itertools.islice(self._serial, jobs))
        total, _ = _wave(crowd, [calls.create(f"job-{number}", QUEUE, number) for number in numbers])
        offers = site.offers_since(before)
        wave, answers = _wave(crowd, [calls.accept(offer.worker_id, offer.offer_id) for offer in offers])
        held = [_assigned(body_of(answer)) for answer in answers]
        total = total.plus(wave)
        for make in (calls.complete, calls.close):
            wave, _ = _wave(crowd, [make(one.job_id, one.assignment_id) for one in held])
            total = total.plus(wave)
        if total.requests != len(STEPS) * jobs:
            raise RuntimeError(f"{total.requests} requests for {jobs} lives: some had no offer")
        site.forget_events()
        return total


def alike(port: int, path: str, count: int) -> list[bytes]:
    """Requests for a yardstick: of the sizes that those of lives have, with all their headers."""
    host = f"localhost:{port}"
    bodies = (calls.create("job-1", QUEUE, 1).body, b"", b"{}", b"{}")
    return [packed("POST", path, host, bodies[number % len(bodies)]) for number in range(count)]


def _wave(crowd: Crowd, wanted: list[Call]) -> tuple[Wave, list[bytes]]:
    host = f"localhost:{crowd.port}"
    return crowd.run([packed(call.method, call.target, host, call.body) for call in wanted])
