"""``jobrouter why``: tells why a job is not offered, to anybody or to one worker."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterator
from functools import partial

from api.cli.check import check_router, store_url
from api.cli.plain import plain, plain_line
from api.explain import tell_how
from api.options import Options
from api.sentences import change, counted, sentence, staff
from api.serving.settings import tenants_of
from engine.errors import Refused
from engine.explanations import JobExplanation, explain_job
from engine.store import Store, root_of


def run(options: Options) -> int:
    """Prints the reasons. Gives 0, or 1 when there is no such job or worker."""
    found = asyncio.run(_explained(options))
    if isinstance(found, str):
        print(f"jobrouter: {plain_line(found)}", file=sys.stderr)
        return 1
    print(*map(plain_line, lines(found)), sep="\n")
    return 0


async def _explained(options: Options) -> JobExplanation | str:
    """The explanation by the first router that has the job, or what was not found."""
    missing = f"there is no job {plain(options.job)}"
    store = await Store.open(store_url(options))
    try:
        for tenant in tenants_of(options):
            await check_router(store, tenant)
            try:
                run = partial(store.run, root_of(tenant))
                found = await explain_job(run, options.job, options.worker)
                await tell_how(run, found)
                return found
            except Refused as refused:
                if refused.code != "NOT_FOUND":
                    raise
                if "worker" in refused.text:
                    missing = f"there is no worker {plain(options.worker)}"
        return missing
    finally:
        await store.close()


def lines(found: JobExplanation) -> Iterator[str]:
    """An explanation as lines of text."""
    yield _head(found)
    for reason in found.reasons:
        yield f"- {sentence(reason)}"
    for reason in found.obstacles:
        yield f"- {sentence(reason, found.worker)}"
    if found.staff:
        yield staff(found)
        for reason in found.counts:
            yield f"- {counted(reason, found)}"
    if found.sample:
        yield "Some of the workers:"
        for one in found.sample:
            for reason in one.reasons:
                yield f"- {sentence(reason, one.worker)}"
    if found.changes:
        yield "What changes by itself:"
        for one_change in found.changes:
            yield f"- {change(one_change)}"


def _head(found: JobExplanation) -> str:
    where = f" on channel {found.channel}" if found.channel else ""
    if found.status == "queued":
        return (
            f"Job {found.job} waits in queue {found.queue}{where}, "
            f"at position {found.position} of {found.length}."
        )
    where = (f" of queue {found.queue}" if found.queue else "") + where
    return f"Job {found.job}{where} is {found.status}."
