"""``jobrouter history``: the life of a job or worker as a timeline, oldest event first."""

from __future__ import annotations

import sys
from functools import partial

import msgspec

from api.cli.check import store_url
from api.cli.plain import plain
from api.cli.serve import run_until_told
from api.history import LOOKED_BACK, life
from api.options import Options
from api.serving.settings import tenants_of
from api.wire import history as wire
from engine.errors import Refused
from engine.store import Store, root_of

_TYPE, _STATE = 24, 21
"""Widths of columns."""


def run(options: Options) -> int:
    """Prints the newest events of a job or worker. Gives 0, or 1 when there is no such job or worker."""

    async def work() -> int:
        root = root_of(next(iter(tenants_of(options))))
        store = await Store.open(store_url(options))
        try:
            shown = await life(
                partial(store.run, root), options.kind, options.id, options.before, LOOKED_BACK
            )
        except Refused as refusal:
            if refusal.code != "NOT_FOUND":
                raise
            print(f"jobrouter: there is no {options.kind} {plain(options.id)}", file=sys.stderr)
            return 1
        finally:
            await store.close()
        print("\n".join(lines(shown, options.kind)))
        return 0

    return run_until_told(work)


def lines(shown: wire.Page, kind: str) -> list[str]:
    """A page as text."""
    told = [f"{kind} {plain(shown.id)}: {shown.state or 'not stored any more'}"]
    if shown.cut:
        kept = f"the log begins at {shown.cut.oldest}" if shown.cut.oldest else "nothing is kept"
        told.append(f"… event {shown.cut.id} and those before it are not kept any more: {kept}")
    if shown.next:
        told.append(f"… those before are shown with --before {shown.next}")
    told += [_line(row, kind) for row in reversed(shown.value)]
    if shown.durations:
        told.append("in all: " + ", ".join(f"{state} {_time(s)}" for state, s in shown.durations.items()))
    return told


def _line(row: wire.Row, kind: str) -> str:
    type_ = row.type.removeprefix("Router").removeprefix("Worker" if kind == "worker" else "Job")
    lasted = "" if isinstance(row.seconds, msgspec.UnsetType) else _time(row.seconds)
    said = ", ".join(f"{name} {plain(value)}" for name, value in wire.words(row.event, kind))
    time = row.time.removesuffix("+00:00")
    return f"{time:<23}  {type_:<{_TYPE}}{row.state or '?':<{_STATE}}{lasted:>9}  {said}".rstrip()


def _time(seconds: float) -> str:
    """A duration in two units at most."""
    for name, length in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= length:
            lesser, unit = {"d": (3_600, "h"), "h": (60, "min"), "min": (1, "s")}[name]
            return f"{int(seconds // length)} {name} {int(seconds % length // lesser)} {unit}"
    return f"{seconds:.3g} s"
