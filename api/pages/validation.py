"""The page by which an endpoint, or a person for it, agrees to get events: the code in its URL is the key."""

from __future__ import annotations

from collections.abc import Iterable

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from api.call import Runner
from api.errors import NotFound, from_engine
from api.serving.body import read_body
from api.wire.values import MAX_ID
from engine.commands import SubscriptionConfirm
from engine.errors import Refused, Unavailable
from engine.store import root_of

_HEADERS = {"cache-control": "no-store", "referrer-policy": "no-referrer"}
_MAX_CODE = 256
_MAX_BODY = 4096


def routes(store: Runner, tenants: Iterable[str]) -> list[Route]:
    """The page of each router."""
    known = frozenset(tenants)

    async def validate(request: Request) -> Response:
        if request.method == "POST":
            await read_body(request.receive, _MAX_BODY)
        tenant, query = request.path_params["tenant"], request.query_params
        subscription, code = query.get("subscription", ""), query.get("code", "")
        if tenant not in known or not _is_id(subscription) or not 0 < len(code) <= _MAX_CODE:
            raise NotFound("This code is not valid, or not any more.")
        # whoever looks ahead at links does not agree, but is told the same
        confirm = SubscriptionConfirm(subscription, code, look=request.method == "HEAD")
        try:
            await store.run(root_of(tenant), confirm)
        except (Refused, Unavailable) as error:
            raise from_engine(error) from None
        return PlainTextResponse(
            f"Events are sent from now on to the endpoint of the subscription '{subscription}'.",
            headers=_HEADERS,
        )

    return [Route("/validate/{tenant}", validate, methods=["GET", "POST"])]


def _is_id(text: str) -> bool:
    return 1 <= len(text) <= MAX_ID and "\0" not in text
