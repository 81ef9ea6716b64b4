"""``jobrouter top``: a router live in the terminal."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterable, Sequence

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from api.cli.check import check_router, store_url
from api.cli.plain import plain
from api.cli.serve import run_until_told
from api.options import Options
from api.serving.access_keys import BadOption
from api.serving.settings import tenants_of
from engine.errors import Unavailable
from engine.glance import Glance, Offer, Queue, Worker, glance
from engine.store import Store, root_of

ROWS = 20
"""Rows of each table where no terminal says how many there is room for."""
LEAST_ROWS = 3
PLAIN_WIDTH = 120

_AROUND = 17
"""Lines of a frame that are no rows of its three tables."""
_BAR = 10
_UNITS = ((86_400, "d", 3_600, "h"), (3_600, "h", 60, "min"), (60, "min", 1, "s"))
_STATES = {"active": "green", "draining": "yellow", "inactive": "dim"}


def run(options: Options) -> int:
    """Shows frames until it is told to end, or one. Gives 0."""
    shows_live = not options.once
    if shows_live and not sys.stdout.isatty():
        raise BadOption("'jobrouter top' needs a terminal; --once prints one frame anywhere.")
    console = Console(width=None if sys.stdout.isatty() else PLAIN_WIDTH, highlight=False)
    tenant, *others = tenants_of(options)
    note = f"shown is {tenant} alone; --tenants shows another of {', '.join(others)}" if others else ""

    async def work() -> int:
        store = await Store.open(store_url(options))
        try:
            await check_router(store, tenant)
            if note:
                print(f"jobrouter: {note}", file=sys.stderr)
            if shows_live:
                await _live(console, store, tenant, options.interval / 1000)
            else:
                console.print(frame(tenant, await glance(store, root_of(tenant)), ROWS))
        finally:
            await store.close()
        return 0

    return run_until_told(work)


async def _live(console: Console, store: Store, tenant: str, seconds: float) -> None:
    with Live(console=console, screen=True, auto_refresh=False) as live:
        while True:
            rows = max(LEAST_ROWS, (console.size.height - _AROUND) // 3)
            shown: RenderableType
            try:
                shown = frame(tenant, await glance(store, root_of(tenant)), rows)
            except Unavailable as error:
                shown = Text(f"{tenant}: the store cannot answer: {error}", style="red")
            live.update(shown, refresh=True)
            await asyncio.sleep(seconds)


# ---- a frame -----------------------------------------------------------------------------------------------


def frame(tenant: str, seen: Glance, rows: int) -> Group:
    """A router as tables of at most so many rows each."""
    now_ms = seen.now_ms
    queues = [_queue(one) for one in seen.queues[:rows]]
    workers = [_worker(one, now_ms) for one in seen.workers[:rows]]
    offers = [_offer(one, now_ms) for one in seen.offers[:rows]]
    return Group(
        _head(tenant, seen),
        _rates(seen),
        _table("Queues", _QUEUES, queues, _rest(len(seen.queues) - rows, seen.more_queues)),
        _table("Workers", _WORKERS, workers, _rest(len(seen.workers) - rows, seen.more_workers)),
        _table("Offers", _OFFERS, offers, _rest(len(seen.offers) - rows, seen.more_workers)),
    )


def _head(tenant: str, seen: Glance) -> Text:
    waiting = sum(queue.length for queue in seen.queues)
    active = sum(worker.state == "active" for worker in seen.workers)
    workers = f"{active} of {len(seen.workers)} workers active"
    head = Text.assemble(
        (plain(tenant), "bold"), f"  {waiting} jobs wait  {workers}  {len(seen.offers)} offers open"
    )
    if seen.overdue_ms > 2_000:
        head.append(f"  the agenda is {duration(seen.overdue_ms)} late", style="red")
    return head


def _rates(seen: Glance) -> Text:
    if not seen.rates:
        return Text("no events in the last 10 s", style="dim")
    parts = [f"{sum(seen.rates.values()):.1f} events/s"]
    parts += [f"{kind.removeprefix('Router')} {rate:.1f}" for kind, rate in list(seen.rates.items())[:6]]
    return Text("  ".join(parts))


_QUEUES = ("queue", ">jobs", "by priority", ">oldest", ">new job waits", ">active", "nobody fits")
_WORKERS = ("worker", "state", "load", ">offers", ">jobs", ">since")
_OFFERS = ("job", "worker", "queue", "channel", ">made", ">ends in")


def _rest(hidden: int, more: bool) -> str:
    """What a table does not show."""
    if more:
        return "… and others"
    return f"… {hidden} more" if hidden > 0 else ""


def _table(title: str, columns: Sequence[str], rows: Iterable[Iterable[Text | str]], rest: str) -> Table:
    """A table; columns whose name begins with > stand on the right."""
    table = Table(
        title=title,
        caption=rest or None,
        title_justify="left",
        caption_justify="left",
        expand=True,
        box=None,
        pad_edge=False,
    )
    for name in columns:
        table.add_column(name.lstrip(">"), justify="right" if name.startswith(">") else "left", no_wrap=True)
    for row in rows:
        table.add_row(*row)
    return table


def _queue(queue: Queue) -> list[Text | str]:
    priorities = " ".join(f"{priority}:{jobs}" for priority, jobs in queue.priorities[:5])
    unmatchable = f"{queue.unmatchable} of first {queue.looked}" if queue.unmatchable else ""
    return [
        Text(plain(queue.id)),
        str(queue.length),
        priorities + (" …" if len(queue.priorities) > 5 else ""),
        "" if queue.longest_ms < 0 else duration(queue.longest_ms),
        f"{queue.wait_minutes:g} min" if queue.length and queue.active else "",
        str(queue.workers) if queue.active < 0 else f"{queue.active} of {queue.workers}",
        Text(unmatchable, style="red"),
    ]


def _worker(worker: Worker, now_ms: int) -> list[Text | str]:
    share = worker.used / worker.capacity if worker.capacity else 0.0
    full = min(_BAR, round(share * _BAR))
    return [
        Text(plain(worker.id)),
        Text(worker.state, style=_STATES.get(worker.state, "")),
        f"{'█' * full}{'░' * (_BAR - full)} {worker.used}/{worker.capacity}",
        str(worker.offers),
        str(worker.assignments),
        duration(now_ms - worker.since_ms) if worker.since_ms else "",
    ]


def _offer(offer: Offer, now_ms: int) -> list[Text | str]:
    ids = [Text(plain(text)) for text in (offer.job, offer.worker, offer.queue, offer.channel)]
    return [*ids, duration(now_ms - offer.offered_at), duration(offer.expires_at - now_ms)]


def duration(ms: int) -> str:
    """A time in one unit, or two."""
    seconds = max(0, ms) // 1000
    for length, unit, lesser, rest in (
        (86_400, "d", 3_600, "h"),
        (3_600, "h", 60, "min"),
        (60, "min", 1, "s"),
    ):
        if seconds >= length:
            return f"{seconds // length} {unit} {seconds % length // lesser} {rest}"
    return f"{seconds} s"
