"""Measures events at streaming clients: ``python -m bench.events --help`` tells how.

The time to the offer is from the first byte of a signed request that creates a job to the moment at which a
client of ``/ext/v1/events/stream`` has read the event of its offer: over HTTP, the library, the outbox, the
feed of the API and HTTP again. One job at a time; the server, the API and this program are three processes.
"""

from __future__ import annotations

import argparse
import contextlib
import gc
import selectors
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from bench import report
from bench.command_line import add_json, add_server, tell_machine, write_json
from bench.entities import body, job, policy, queue, region_and_skill, worker
from bench.http import PATIENCE_SECONDS, Connection, request, served, stream
from bench.site import Site, site

CREATES = 3_000
WARM_UP = 300
CLIENTS = 1_000
WORKERS = 10_000
JOBS_TO_ALL = 200
KEPT_BYTES = 8192

_OFFERS = "eventType=RouterWorkerOfferIssued"
_VERSION = "api-version=2024-01-18-preview"


def main() -> None:
    """Measures, prints the table, writes the JSON."""
    given = _arguments()
    scale = 50 if given.quick else 1
    with site(given.server) as here:
        found: dict[str, Any] = {"machine": report.machine(here.client)}
    tell_machine(found["machine"])
    found |= measure(given.server, CREATES // scale, CLIENTS // scale, WORKERS // scale, JOBS_TO_ALL // scale)
    for name, value in found.items():
        if name != "machine":
            print(f"{name:44}{value:12,.2f}")
    write_json(given.json, found)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="bench.events", description="Measures events at streaming clients.")
    parser.add_argument("--quick", action="store_true", help="a smoke run: few jobs and clients")
    add_server(parser)
    add_json(parser)
    return parser.parse_args()


def measure(program: Path | None, creates: int, clients: int, workers: int, to_all: int) -> dict[str, float]:
    """All figures: times in milliseconds, deliveries a second."""
    with site(program) as here, served(here.url) as port:
        here.build([policy(), queue()])
        # so that each job finds a free one, and as many are left
        taken = 2 * (creates + min(WARM_UP, creates)) + 3 * to_all
        here.build(worker(number, region_and_skill(number)) for number in range(workers + taken))
        found: dict[str, float] = {}
        with _streams(port, [_OFFERS]) as one:
            found |= _percentiles("create_to_offer", _times(here, port, one, creates))
        with _streams(port, [f"{_OFFERS}&workerId=worker-{n}" for n in range(clients)] + [_OFFERS]) as many:
            found |= _percentiles("create_to_offer_beside_streams", _times(here, port, many[-1:], creates))
        with _streams(port, [""] * clients) as all_:
            found |= _percentiles("create_to_offer_last_client", _times(here, port, all_, to_all))
            found["deliveries_per_s"] = _deliveries(here, all_, to_all)
    return found


@contextlib.contextmanager
def _streams(port: int, queries: Sequence[str]) -> Iterator[list[Connection]]:
    with contextlib.ExitStack() as stack:
        yield [stack.enter_context(contextlib.closing(stream(port, query))) for query in queries]


def _times(here: Site, port: int, streams: Sequence[Connection], count: int) -> list[float]:
    """The times until all have the offer, in milliseconds, ascending; the first jobs do not count."""
    times = []
    warm_up = min(WARM_UP, count)
    with contextlib.closing(Connection(port)) as creating:
        gc.disable()
        for number in here.take_serials(warm_up + count):
            packed = request("PATCH", f"/routing/jobs/job-{number}?{_VERSION}", port, body(number))
            # the end of the subject of its offer
            mark = f'\\/job\\/job-{number}"'.encode()
            started = time.perf_counter()
            creating.send(packed)
            _all_get(streams, mark)
            times.append((time.perf_counter() - started) * 1000)
            creating.take(b"HTTP/1.1 201 ")
        gc.enable()
    return sorted(times[warm_up:])


def _all_get(streams: Sequence[Connection], mark: bytes) -> None:
    """Reads until every client has got what has this mark."""
    if len(streams) == 1:
        streams[0].take(mark)
        return
    waiting, deadline = len(streams), time.monotonic() + PATIENCE_SECONDS
    with selectors.DefaultSelector() as selector:
        for one in streams:
            selector.register(one.socket, selectors.EVENT_READ, one)
        while waiting:
            if time.monotonic() > deadline:
                raise RuntimeError(f"{waiting} clients have not got all events")
            for key, _ in selector.select(timeout=1):
                one = key.data
                one.receive(KEPT_BYTES)
                if one.has(mark):
                    selector.unregister(one.socket)
                    waiting -= 1


def _percentiles(name: str, times: Sequence[float]) -> dict[str, float]:
    return {f"{name}_p{at}_ms": times[int(len(times) * at / 100)] for at in (50, 99)}


def _deliveries(here: Site, streams: Sequence[Connection], jobs: int) -> float:
    """Events a second that reach clients, each of whom gets all: three of each job, made at once."""
    before = here.op()
    started = time.perf_counter()
    here.build(job(number) for number in here.take_serials(jobs))
    _all_get(streams, f"\nid: {here.op()}.3\n".encode())
    assert here.op() - before == jobs, "something else has happened"
    return 3 * jobs * len(streams) / (time.perf_counter() - started)


if __name__ == "__main__":
    main()
