"""What is measured and its yardsticks, each a process: ``python -m bench.interface.servers NAME``.

``signed`` is the product as it is; ``unsigned`` the same, but for the check of signatures. The yardsticks are
``starlette``, a bare application of one route whose endpoint does one PING through the stock asyncio pool of
redis-py, and ``raw``, a raw ASGI application that only answers; both on uvicorn with httptools and uvloop.
"""

from __future__ import annotations

import argparse
import contextlib
import socket
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import uvicorn
from redis.asyncio import Redis
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from api.serving.listeners import KEEP_ALIVE_SECONDS
from bench.http import started

PATH = "/bench"
PRODUCT = ("signed", "unsigned")

_ANSWER = b'{"assignmentId":"7cbbb1a3-7a9b-4bb8-8f0f-7c0a6b1f9d00"}'
_HEADERS = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(_ANSWER))]


class Served(NamedTuple):
    """Where it listens, and its processes."""

    port: int
    pids: Sequence[int]


@contextlib.contextmanager
def serving(name: str, url: str, cpu: int | None = None, workers: int = 1) -> Iterator[Served]:
    """Runs one of them beside a store, on one processor if asked, the product in so many processes."""
    command = [sys.executable, "-m", __name__, name, "--redis-url", url, "--workers", str(workers)]
    with started(command, cpu) as (port, process):
        yield Served(port, [process.pid, *_children(process.pid)])


def _children(pid: int) -> list[int]:
    """The child processes of a process (Linux; elsewhere none)."""
    file = Path(f"/proc/{pid}/task/{pid}/children")
    return [int(child) for child in file.read_text().split()] if file.exists() else []


# ---- the programs ------------------------------------------------------------------------------------------


def starlette(url: str) -> ASGIApp:
    """One route, one PING."""
    redis = Redis.from_url(url)

    async def answer(request: Request) -> Response:
        await redis.ping()
        return Response(_ANSWER, media_type="application/json")

    return Starlette(routes=[Route(PATH, answer, methods=["POST"])])


def raw(url: str) -> ASGIApp:
    """Nothing but the answer."""

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": _HEADERS})
        await send({"type": "http.response.body", "body": _ANSWER})

    return answer


YARDSTICKS: dict[str, Callable[[str], ASGIApp]] = {"starlette": starlette, "raw": raw}


def _product(url: str, workers: str, *, signed: bool) -> int:
    from api.auth import Authenticator
    from api.cli import main

    if not signed:

        def admit(*_: Any) -> bool:
            return False

        Authenticator.check = admit  # type: ignore[method-assign]
    return main(["api", "--port", "0", "--redis-url", url, "--workers", workers])


def _yardstick(app: ASGIApp) -> None:
    listener = socket.create_server(("127.0.0.1", 0), backlog=2048)
    print(f"http://127.0.0.1:{listener.getsockname()[1]}/\nready", flush=True)
    config = uvicorn.Config(
        app,
        loop="uvloop",
        http="httptools",
        ws="none",
        lifespan="off",
        log_level="warning",
        access_log=False,
        # while it is the turn of others, connections stay
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
    )
    uvicorn.Server(config).run(sockets=[listener])


def main() -> int:
    """Runs one until it is ended."""
    parser = argparse.ArgumentParser(prog="bench.interface.servers")
    parser.add_argument("name", choices=[*PRODUCT, *YARDSTICKS])
    parser.add_argument("--redis-url", required=True)
    parser.add_argument("--workers", default="1")
    given = parser.parse_args()
    if given.name in PRODUCT:
        return _product(given.redis_url, given.workers, signed=given.name == "signed")
    _yardstick(YARDSTICKS[given.name](given.redis_url))
    return 0


if __name__ == "__main__":
    sys.exit(main())
