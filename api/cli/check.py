"""``jobrouter check``: verifies all invariants over a live store."""

from __future__ import annotations

import sys
from pathlib import Path
from urllib.parse import quote

from api.cli.plain import plain_line
from api.cli.progress import progress
from api.cli.serve import run_until_told
from api.options import Options
from api.serving.access_keys import BadOption
from api.serving.settings import deployment_of, tenants_of
from engine.data_directory import usable
from engine.inspection import entities, problems
from engine.leftover import recorded_socket
from engine.store import Store, root_of


def run(options: Options) -> int:
    """Prints the problems of all tenants. Gives 0 when there are none, else 1."""

    async def work() -> int:
        url, tenants = store_url(options), list(tenants_of(options))
        seen = wrong = 0
        with progress("checking", await entities(url, tenants, whole=True)) as advance:
            for tenant in tenants:
                # what concerns the whole router is found with each slice of its entities
                told = set[str]()
                async for number, found in problems(url, tenant):
                    seen += number
                    advance(number)
                    for problem in found:
                        if problem not in told:
                            print(plain_line(f"{tenant}: {problem}"))
                            told.add(problem)
                wrong += len(told)
        print(f"{seen} entities, {wrong} problems", file=sys.stderr)
        return 1 if wrong else 0

    return run_until_told(work)


async def check_router(store: Store, tenant: str) -> None:
    """Refuses a router that the store has not: its name may be mistyped. Raises BadOption."""
    if not await store.ask(root_of(tenant), "EXISTS", root_of(tenant)):
        raise BadOption(f"There is no router '{tenant}' in the store (--tenants).")


def store_url(options: Options) -> str:
    """The address of a live store: that of --redis-url, else of the embedded server.

    Raises BadOption, and Unusable when the data directory cannot be read.
    """
    if options.redis_url:
        deployment_of(options.redis_url)
        return options.redis_url
    directory = Path(options.data_dir).absolute()
    with usable(directory):
        socket = recorded_socket(directory / "server")
        runs = socket is not None and socket.exists()
    if not runs:
        raise BadOption(
            f"No embedded server runs on {options.data_dir}: start 'jobrouter serve', or give its --data-dir "
            "or --redis-url."
        )
    return f"unix://{quote(str(socket))}"
