"""The result as text for people and as JSON for machines."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from bench.client import Client
from bench.meters import info
from bench.ratios import GOALS, Found, Goal

STEPS = ("create", "accept", "complete", "close", "decline")


def machine(client: Client) -> dict[str, Any]:
    """What it ran on."""
    server = info(client, "server")
    version = server.get("valkey_version") or server["redis_version"]
    return {
        "processor": processor(),
        "processors": os.cpu_count(),
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "server": f"{'Valkey' if 'valkey_version' in server else 'Redis'} {version}",
        "allocator": info(client, "memory")["mem_allocator"],
    }


def processor() -> str:
    """The name of the processor."""
    names = Path("/proc/cpuinfo")
    if names.exists():
        for line in names.read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()


def rows(found: Found) -> list[dict[str, Any]]:
    """The medians of each row."""
    return [{"row": name, **samples.medians()} for name, samples in found.items()]


def row_table(found: Found) -> Iterable[str]:
    """One line a row; what stands in brackets counts only the time that the server had a processor."""
    if not found:
        return
    steps = "".join(f"{step:>20}" for step in STEPS)
    yield f"{'redis.calls and µs':24}{steps}{'lives/s':>9}{'÷ A20':>15}{'A20 µs':>13}"
    for name, samples in found.items():
        values = samples.medians()
        steps = "".join(f"{_step(values, step):>20}" for step in STEPS)
        share = f"{values['lifecycles_per_a20']:.3f} ({values.get('lifecycles_per_a20_cpu', 0):.3f})"
        a20 = f"{values['a20_us']:.1f} ({values['a20_cpu_us']:.1f})"
        yield f"{name:24}{steps}{values['lifecycle_per_s']:9,.0f}{share:>15}{a20:>13}"


def _step(values: Mapping[str, float], step: str) -> str:
    if f"{step}_us" not in values:
        return ""
    return f"{values[f'{step}_calls']:.0f} {values[f'{step}_us']:.1f} ({values[f'{step}_cpu_us']:.1f})"


def figure_table(values: Mapping[str, float], goals: Mapping[str, Goal] = GOALS) -> Iterable[str]:
    """One line a figure: its value, its floor and aim, and which of them it reaches."""
    for name, value in values.items():
        goal = goals.get(name)
        yield f"{name:28}{value:10,.3f}" + (f"   {goal!s:14} {goal.verdict(value)}" if goal else "")
