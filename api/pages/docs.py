"""``/openapi.json`` and ``/docs``: the description of the interface, for programs and for people."""

from __future__ import annotations

import functools
from collections.abc import Iterable

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from api.pages.dashboard import HEADERS
from api.wire import docs_page, openapi

DESCRIPTION = "/openapi.json"


def routes(interface: Iterable[str]) -> list[BaseRoute]:
    """The pages that describe an interface of these routes."""
    known = tuple(interface)

    # made when somebody asks: a router that nobody reads about need not
    @functools.cache
    def description() -> bytes:
        return msgspec.json.encode(openapi.document(known))

    @functools.cache
    def page() -> str:
        return docs_page.page(msgspec.json.decode(description()), "/static/docs.css", DESCRIPTION)

    async def as_json(request: Request) -> Response:
        return Response(description(), media_type="application/json", headers={"cache-control": "no-cache"})

    async def as_page(request: Request) -> Response:
        return Response(page(), media_type="text/html", headers=HEADERS)

    return [Route(DESCRIPTION, as_json), Route("/docs", as_page)]
