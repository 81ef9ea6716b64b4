"""What the process of Locust is told, by an environment variable: keys do not belong into command lines."""

from __future__ import annotations

import os
from collections.abc import Mapping

import msgspec

from bench.load.percentiles import Summary
from bench.load.scenarios import Scenario

VARIABLE = "LOAD_PLAN"


class Plan(msgspec.Struct, frozen=True):
    """One run of Locust: the scenario, the access key, where the router is, how long all users are at work,
    and where the figures go."""

    scenario: Scenario
    key: bytes
    targets: list[str]
    seconds: float
    figures: str = ""

    def variables(self) -> dict[str, str]:
        """The variable that hands it over."""
        return {VARIABLE: msgspec.json.encode(self).decode()}


def given(variables: Mapping[str, str] = os.environ) -> Plan:
    """The plan that was handed over. Raises SystemExit when there is none."""
    if VARIABLE not in variables:
        raise SystemExit("bench/locustfile.py is run by `make load` or `python -m bench.load`.")
    return msgspec.json.decode(variables[VARIABLE], type=Plan)


class Figures(msgspec.Struct, frozen=True):
    """What one run of Locust has measured; ``waiting`` jobs had no offer at its end, so no time to it."""

    seconds: float
    operations: dict[str, Summary]
    waiting: int = 0
