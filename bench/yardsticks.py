"""The yardsticks: an empty FCALL (A0) and an FCALL of 20 mixed calls (A20), pipelined as the traffic is."""

from __future__ import annotations

from pathlib import Path

from bench.client import Client, batches
from bench.meters import Cost, Meter

LIBRARY = Path(__file__).with_suffix(".lua")
ROOT = "{bench}"


def load(client: Client) -> None:
    """Loads the yardsticks beside the router's library."""
    client.call("FUNCTION", "LOAD", "REPLACE", LIBRARY.read_text())


def measure(meter: Meter, function: str, calls: int) -> Cost:
    """What so many calls of a yardstick cost."""
    return meter.run(batches([("FCALL", function, 1, ROOT)] * calls))[1]
