"""Runs a router in the foreground until it is told to end, and tells the operator how to use it."""

from __future__ import annotations

import asyncio
import gc
import logging
import shlex
import signal
from collections.abc import Callable, Coroutine
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import uvloop

from api.options import Options
from api.serving import logs
from api.serving.router import Router
from api.serving.runtime import api_alone, api_sockets, whole_router, worker_alone
from api.serving.settings import check_api

log = logging.getLogger("jobrouter")

GC_THRESHOLD = 50_000

_PARTS: dict[str, Callable[[Options], AbstractAsyncContextManager[Router]]] = {
    "serve": whole_router,
    "api": api_alone,
    "worker": worker_alone,
}


def run_until_told(work: Callable[[], Coroutine[Any, Any, int]], lifeline: int | None = None) -> int:
    """Runs a coroutine; SIGTERM and Ctrl-C cancel it, which counts as success. Gives the exit status.

    So does the end of ``lifeline``, a file that another process holds.
    """

    async def main() -> int:
        loop = asyncio.get_running_loop()
        task = loop.create_task(work())
        told: list[int] = []

        def end(number: int) -> None:
            # once: what is being taken down must not be interrupted
            if not told:
                task.cancel()
            told.append(number)

        def alone(file: int) -> None:
            # it is at its end from now on
            loop.remove_reader(file)
            end(0)

        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, end, number)
        if lifeline is not None:
            loop.add_reader(lifeline, alone, lifeline)
        try:
            return await task
        except asyncio.CancelledError:
            if not told:
                raise
            return 0

    return uvloop.run(main())


def run(options: Options) -> int:
    """Runs the parts that a command names. Gives the exit status."""
    logs.begin(options.log_format)
    if options.command == "api" and options.workers > 1:
        return _several(options)
    return _run(_PARTS[options.command](options), _print, lambda router: _print([working(router)]))


def _several(options: Options) -> int:
    """The same in several processes, with one that looks after them."""
    # only what the command needs is imported
    from api.cli import status_of
    from api.serving.siblings import Siblings
    from api.serving.supervisor import Place, Supervisor

    check_api(options)
    sockets = api_sockets(options)

    def work(place: Place) -> int:
        siblings = Siblings(place.folder, place.number, place.processes)
        part = api_alone(options, sockets, siblings)

        def ready(router: Router) -> None:
            place.ready("\n".join([*announcement(router), working(router)]))

        return status_of(lambda: _run(part, lambda lines: None, ready, place.lifeline), place.tells_first)

    return Supervisor(options.workers, work, lambda text: print(text, flush=True)).run()


def _print(lines: list[str]) -> None:
    if lines:
        print(*lines, sep="\n", flush=True)


def _run(
    part: AbstractAsyncContextManager[Router],
    tell: Callable[[list[str]], None],
    ready: Callable[[Router], None],
    lifeline: int | None = None,
) -> int:
    """Runs a part until it is told to end, or its lifeline ends.

    ``tell`` is called when it listens, ``ready`` when it has reached the store as well.
    """

    async def work() -> int:
        async with part as router:
            tell(announcement(router))
            gc.collect()
            gc.freeze()
            gc.set_threshold(GC_THRESHOLD)
            await router.until_reached()
            ready(router)
            await router.run()
        return 0

    return run_until_told(work, lifeline)


def _access(router: Router, tenant: str) -> list[str]:
    """How the official clients get access to a tenant."""
    key, where = _shown(router, router.key(tenant), router.key_file)
    text = f"connection string: {router.endpoint_part(tenant)};accesskey={key}{where}"
    endpoint = router.endpoint(tenant, secure=router.tls is not None).rstrip("/")
    if endpoint.startswith("https:"):
        return [f"  {text}"]
    return [
        f'  Python: JobRouterClient("{endpoint}", AzureKeyCredential("{key}"))',
        f"  .NET: {text}",
    ]


def viewing(router: Router, tenant: str) -> list[str]:
    """Where to watch a tenant, and the key for it."""
    keys = router.settings.tenants[tenant].view_keys
    page = f"{router.endpoint(tenant, secure=False)}dashboard"
    if not keys:
        return []
    key, where = _shown(router, keys[0], router.view_key_file)
    return [f"  dashboard: {page}   viewing key: {key}{where}"]


def _shown(router: Router, key: str, file: Path | None) -> tuple[str, str]:
    """A key, and where it is instead when it is not to be printed."""
    if router.shows_keys:
        return key, ""
    return "…", f" (in {shlex.quote(str(file))})" if file else " (as given)"


def announcement(router: Router) -> list[str]:
    """What an operator wants to know at start, line by line; that it works comes later."""
    lines = []
    if router.port:
        secure = router.tls is not None
        for tenant in router.settings.tenants:
            lines.append(f"{tenant}: {router.endpoint(tenant, secure=secure)}")
            if secure:
                lines.append(f"  plain http: {router.endpoint(tenant, secure=False)}")
            lines += _access(router, tenant)
            lines += viewing(router, tenant)
    if address := router.metrics_address():
        lines.append(f"metrics: {address}")
    if router.embedded:
        lines.append(f"look inside: redis-cli -s {shlex.quote(str(router.embedded.socket))}")
    if router.tls and router.tls.ca:
        authority = shlex.quote(str(router.tls.ca))
        lines += [
            f"trust the development CA: {authority}",
            f"  Python: export REQUESTS_CA_BUNDLE={authority}   (or connection_verify=… in the client)",
            f"  Node.js: export NODE_EXTRA_CA_CERTS={authority}",
            "  .NET, Java and browsers: add it to the system's or the JVM's trusted certificates",
        ]
        if router.tls.note:
            lines.append(f"  {router.tls.note}")
    return lines


def working(router: Router) -> str:
    """The last line of a start: the store is reached, and the router does its work."""
    return "ready; Ctrl-C ends it" if router.port else "working; Ctrl-C ends it"
