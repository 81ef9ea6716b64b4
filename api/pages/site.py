"""The pages beside the interface: health and whatever else is served, with errors in the interface's form."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from api import errors
from api.pages.local import is_local
from api.streaming import Disconnected

if TYPE_CHECKING:
    from api.viewing import Viewing
    from engine.settings import Tenant

Health = Callable[[], Awaitable[tuple[bool, dict[str, Any]]]]


def create_pages(
    health: Health, viewing: Viewing, tenants: Iterable[Tenant], more: Sequence[BaseRoute] = ()
) -> Starlette:
    """The application of the pages.

    What readiness is made of, which names routers and the store, is for this machine and viewing keys.
    """
    known = tuple(tenants)

    async def live(request: Request) -> Response:
        return JSONResponse({"status": "ok"})

    async def ready(request: Request) -> Response:
        ok, report = await health()
        headers = {name.lower(): value for name, value in request.headers.raw}
        shown = is_local(headers, request.client.host if request.client else "") or any(
            viewing.admits(tenant, headers) for tenant in known
        )
        short = {"status": "ready" if ok else "unavailable"}
        return JSONResponse(report if shown else short, 200 if ok else 503)

    return Starlette(
        routes=[Route("/health/live", live), Route("/health/ready", ready), *more],
        exception_handlers={HTTPException: _http_error, errors.ApiError: _refused, Disconnected: _unread},
    )


def paths(pages: Starlette) -> frozenset[str]:
    """The paths that are pages of their own."""
    return frozenset(
        route.path for route in pages.routes if isinstance(route, Route) and not route.param_convertors
    )


async def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, errors.ApiError)
    headers = {name.decode(): value.decode() for name, value in error.headers}
    body = errors.body(error, request.url.path)
    return Response(body, error.status, headers, media_type="application/json")


async def _unread(request: Request, error: Exception) -> Response:
    """Nobody reads it: the client went away before its body had come."""
    return Response(status_code=400)


async def _http_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    known = {404: errors.NotFound, 405: errors.MethodNotAllowed}
    answer = known.get(error.status_code, errors.ApiError)(error.detail)
    return Response(
        errors.body(answer, request.url.path),
        error.status_code,
        error.headers,
        media_type="application/json",
    )
