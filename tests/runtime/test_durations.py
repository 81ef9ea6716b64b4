"""Our histogram tells what that of prometheus_client would."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Histogram
from prometheus_client.exposition import generate_latest

from engine.durations import Durations

BOUNDS = (0.001, 0.5, 1, 10)
SECONDS = (0.0, 0.001, 0.0011, 0.5, 0.7, 1.0, 9.0, 10.0, 10.1, 1e9)


def test_tells_what_the_other_tells() -> None:
    ours, theirs = CollectorRegistry(), CollectorRegistry()
    durations = Durations("it_seconds", "What it took.", ("route", "status"), BOUNDS)
    ours.register(durations)
    histogram = Histogram("it_seconds", "What it took.", ("route", "status"), buckets=BOUNDS, registry=theirs)
    for number, seconds in enumerate(SECONDS):
        labels = (f"/{number % 2}", "200")
        durations.labels(*labels).observe(seconds)
        histogram.labels(*labels).observe(seconds)
    told = generate_latest(ours)
    assert b'it_seconds_bucket{le="0.5",route="/1",status="200"} 2.0' in told
    assert told == _without_created(generate_latest(theirs))


def _without_created(text: bytes) -> bytes:
    return b"".join(line for line in text.splitlines(keepends=True) if b"_created" not in line)
