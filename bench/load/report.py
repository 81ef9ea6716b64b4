"""What a run has found, as tables: closed loop, open loop, and what was offered against what was achieved."""

from __future__ import annotations

import os
import platform
from collections.abc import Sequence
from pathlib import Path

import msgspec

from bench.load import calls
from bench.load.open_loop import Step
from bench.load.percentiles import Summary
from bench.load.plan import Figures
from bench.load.scenarios import SCENARIOS, Scenario
from bench.load.stack import Size
from bench.load.tables import OPERATION, Table, markdown, number, page, row
from bench.report import processor

TITLE = "Load on a whole deployment"
CLOSED = (
    "Closed loop (Locust): each user waits for an answer before it asks again, so these times leave out "
    "what a request would have waited while the router was slow (coordinated omission). Compare them among "
    "themselves."
)
OPEN = (
    "Open loop: jobs arrive at a fixed rate whether or not the router keeps up. Create, time to offer and "
    "whole life are timed from when the job was to be sent, the steps of agents from when they were due; "
    "what was not answered in time counts with the time that it has waited."
)
LATE_GENERATOR_MS = 20.0


class Found(msgspec.Struct):
    """All figures of one run; ``load`` is the machine's load average before and after,
    ``left_out`` the scenarios for which there was no time."""

    size: Size
    load: list[float]
    closed: dict[str, Figures] = {}
    steps: list[Step] = []
    left_out: list[str] = []

    @property
    def ceiling(self) -> float:
        """The highest rate that was sustained, 0 when none was."""
        return max((step.offered for step in self.steps if step.sustained), default=0.0)


def write(found: Found, folder: Path) -> list[Path]:
    """Writes report.md, report.html and report.json."""
    tables = [*_open_tables(found), *_closed_tables(found)]
    links = [(f"{name} (closed loop)", f"locust-{name}.html") for name in found.closed]
    texts = {
        "report.md": markdown(TITLE, _conditions(found), tables),
        "report.html": page(TITLE, _conditions(found), tables, links),
    }
    for name, text in texts.items():
        (folder / name).write_text(text)
    (folder / "report.json").write_bytes(msgspec.json.format(msgspec.json.encode(found)) + b"\n")
    return [folder / name for name in (*texts, "report.json")]


def _conditions(found: Found) -> str:
    size = found.size
    store = "the given store" if size.redis_url else "a private server as the embedded one, persistent"
    front = "clients take turns" if size.direct else "behind HAProxy"
    return (
        f"API replicas: {size.replicas}, {front}; workers: {size.workers}; {store}; requests are signed. "
        f"{os.cpu_count()} processors ({processor()}), Python {platform.python_version()}, and on the same "
        f"processors the clients. Load average {found.load[0]:.1f} before and {found.load[-1]:.1f} after: "
        "where it was above the number of processors before, others were at work, and have slowed this."
    ) + (f" Left out for want of time: {', '.join(found.left_out)}." if found.left_out else "")


def _open_tables(found: Found) -> list[Table]:
    if not found.steps:
        return []
    columns = (
        *("offered/s", "achieved/s", "create p50 ms", "p99", "time to offer p50", "p95", "p99", "max"),
        *("whole life p50", "p99", "unfinished", "failures", "generator late p99", "sustained"),
    )
    tables = [
        Table("Offered load against achieved", f"{OPEN} {verdict(found)}", columns, _step_rows(found.steps))
    ]
    if (best := at_half(found)) is not None:
        names = (calls.CREATE, calls.TIME_TO_OFFER, calls.ACCEPT, calls.COMPLETE, calls.CLOSE, calls.LIFE)
        seconds = best.operations[calls.CREATE].count / best.offered
        rows = [row(name, best.operations[name], seconds) for name in names if name in best.operations]
        which = "below half the ceiling, or the first" if best.sustained else "not sustained"
        text = f"Open loop, {number(best.offered)} jobs a second: {which}."
        tables.append(Table("Latencies at a moderate load", text, OPERATION, rows))
    return tables


def verdict(found: Found) -> str:
    """What the ceiling is, and whether the generator itself was the limit."""
    last = found.steps[-1]
    late = " The generator was late itself: the ceiling is that of the machine with it."
    note = late if last.lag_p99_ms > LATE_GENERATOR_MS else ""
    if not found.ceiling:
        return f"Not even the first rate was sustained.{note}"
    least = "at least " if last.sustained else ""
    return f"The ceiling is {least}{number(found.ceiling)} whole lives a second, of five requests each.{note}"


def at_half(found: Found) -> Step | None:
    """The highest rate below half the ceiling, else the first that was sustained, else the first of all."""
    kept = [step for step in found.steps if step.sustained]
    fitting = [step for step in kept if step.offered <= found.ceiling / 2]
    return max(fitting or kept[:1] or found.steps[:1], key=lambda step: step.offered, default=None)


def _step_rows(steps: Sequence[Step]) -> list[list[str]]:
    nothing = Summary(0)
    rows = []
    for step in steps:
        create, offer, life = (
            step.operations.get(name, nothing) for name in (calls.CREATE, calls.TIME_TO_OFFER, calls.LIFE)
        )
        times = (create.p50, create.p99, offer.p50, offer.p95, offer.p99, offer.longest, life.p50, life.p99)
        failures = sum(each.failures for each in step.operations.values())
        rows.append(
            [
                *map(number, (step.offered, step.achieved, *times)),
                *(f"{step.unfinished:,}", f"{failures:,}", number(step.lag_p99_ms)),
                "yes" if step.sustained else "no",
            ]
        )
    return rows


def _closed_tables(found: Found) -> list[Table]:
    if not found.closed:
        return []
    columns = (
        *("scenario", "offered jobs/s", "created/s", "closed/s", "requests/s", "create p50 ms", "p99"),
        *("time to offer p50", "p95", "p99", "max", "no offer yet", "failures"),
    )
    rows = [_glance(SCENARIOS[name], figures) for name, figures in found.closed.items()]
    tables = [Table("Scenarios at a glance (closed loop)", CLOSED, columns, rows)]
    for name, figures in found.closed.items():
        scenario = SCENARIOS[name]
        text = (
            f"{scenario.tells.capitalize()}. Submitters: {scenario.submitters}, agents: {scenario.agents}, "
            f"supervisors: {scenario.supervisors}. The time of '{calls.NEXT}' is the wait for work."
        )
        rows = [row(name, summary, figures.seconds) for name, summary in sorted(figures.operations.items())]
        tables.append(Table(f"Scenario {name} (closed loop)", text, OPERATION, rows))
    return tables


def _glance(scenario: Scenario, figures: Figures) -> list[str]:
    """One line a scenario."""
    nothing, operations = Summary(0), figures.operations
    create, offer, close = (
        operations.get(name, nothing) for name in (calls.CREATE, calls.TIME_TO_OFFER, calls.CLOSE)
    )
    requests = sum(
        each.count + each.failures for name, each in operations.items() if name != calls.TIME_TO_OFFER
    )
    rates = (scenario.jobs, *(count / figures.seconds for count in (create.count, close.count, requests)))
    times = (create.p50, create.p99, offer.p50, offer.p95, offer.p99, offer.longest)
    failures = sum(each.failures for each in operations.values())
    return [scenario.name, *map(number, (*rates, *times)), f"{figures.waiting:,}", f"{failures:,}"]
