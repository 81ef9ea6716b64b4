"""The dashboard: a static page that reads what a viewing key may read, and the session that lets it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from urllib.parse import parse_qs

from starlette.requests import Request
from starlette.responses import FileResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

from api.auth import Authenticator
from api.errors import TooLarge
from api.serving.body import read_body
from api.viewing import COOKIE, SESSION_SECONDS

STATIC = Path(__file__).with_name("static")
MAX_FORM = 4096

HEADERS = {
    "content-security-policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
        "base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
    ),
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cache-control": "no-cache",
}
"""No page of ours runs or loads what is not of this server, nor is shown inside another."""


class _Files(StaticFiles):
    async def get_response(self, path: str, scope: Scope) -> Response:
        response = await super().get_response(path, scope)
        response.headers.update(HEADERS)
        return response


def routes(authenticator: Authenticator) -> list[BaseRoute]:
    """The pages of the dashboard."""

    async def page(request: Request) -> Response:
        return FileResponse(STATIC / "dashboard" / "index.html", headers=HEADERS)

    async def home(request: Request) -> Response:
        return RedirectResponse("/dashboard")

    async def icon(request: Request) -> Response:
        return FileResponse(STATIC / "dashboard" / "icon.svg", headers=HEADERS)

    return [
        Route("/", home),
        Route("/favicon.ico", icon),
        Route("/dashboard", page),
        Route("/dashboard/session", _sign_in(authenticator), methods=["POST"]),
        Route("/dashboard/session", _sign_out, methods=["DELETE"]),
        Mount("/static", _Files(directory=STATIC)),
    ]


def _sign_in(authenticator: Authenticator) -> Callable[[Request], Awaitable[Response]]:
    async def answer(request: Request) -> Response:
        try:
            body = await read_body(request.receive, MAX_FORM)
        except TooLarge:
            return Response(status_code=401, headers=HEADERS)
        key = parse_qs(body.decode("latin-1")).get("key", [None])[0]
        tenant = authenticator.tenant(request.headers.get("host", "").encode("latin-1"))
        if key is None or not authenticator.viewing.is_key(tenant, key):
            return Response(status_code=401, headers=HEADERS)
        response = Response(status_code=204, headers=HEADERS)
        response.set_cookie(
            COOKIE,
            authenticator.viewing.session(tenant),
            max_age=SESSION_SECONDS,
            httponly=True,
            samesite="strict",
            secure=request.url.scheme == "https",
        )
        return response

    return answer


async def _sign_out(request: Request) -> Response:
    response = Response(status_code=204, headers=HEADERS)
    response.delete_cookie(COOKIE, httponly=True, samesite="strict")
    return response
